import pc from 'picocolors';
import { coveredOperations } from './coverage.ts';
import { type Facts, gatherFacts, type Probes } from './facts.ts';
import { type Backend, type Feature, judge, type Report } from './feature.ts';
import { machineProbes } from './probes.ts';

const screenColumns = 100;

export interface DoctorOptions {
  json: boolean;
  write(text: string): void;
  /** Judges as if this backend alone existed. */
  only?: Backend;
  probes?: Probes;
}

/**
 * Says what this machine offers and what follows, on one screen or, with `json`, as one object on one line.
 *
 * @returns the exit status: 0 when some backend works, 3 when Picket is not supported here
 */
export function doctor({ json, write, only, probes = machineProbes }: DoctorOptions): 0 | 3 {
  const facts = gatherFacts(probes);
  const report = judge(facts, only);
  write(json ? `${JSON.stringify(toJson(facts, report))}\n` : renderReport(report));
  return report.backend === null ? 3 : 0;
}

function toJson(facts: Facts, { backend, reason, features }: Report) {
  const coverage = coveredOperations.map(({ operation, category, coverage }) => ({
    operation,
    category,
    coverage: backend === null ? 'unseen' : coverage[backend],
  }));
  return {
    backend,
    reason,
    kernel: facts.kernel,
    arch: facts.arch,
    cgroup2: facts.cgroup2 ?? null,
    features,
    coverage,
  };
}

/** The report for people: a line per feature, two more under one that is missing, then the backend and what it does. */
export function renderReport({ backend, reason, features }: Report): string {
  const lines = features.flatMap(renderFeature);
  lines.push('', ...hang(pc.bold('Backend'), 7, `${backend ?? 'none'}: ${reason}`));
  if (backend !== null) lines.push('', pc.bold('What it does'), ...renderCoverage(backend));
  return `${lines.join('\n')}\n`;
}

function renderFeature({ feature, ok, tried, required, found, means, todo }: Feature): string[] {
  const mark = ok ? pc.green('ok') : tried ? (required ? pc.red('no') : pc.yellow(' -')) : pc.dim(' ?');
  const lines = hang(`${mark}  ${feature.padEnd(16)}`, 20, found);
  return ok || !tried ? lines : [...lines, ...hang('        means', 13, means), ...hang('        do   ', 13, todo)];
}

function renderCoverage(backend: Backend): string[] {
  const seen = coveredOperations.filter((row) => row.coverage[backend] !== 'unseen');
  const unseen = coveredOperations.filter((row) => row.coverage[backend] === 'unseen');
  return [
    ...seen.map((row) => `    ${row.operation.padEnd(40)}${row.coverage[backend]}`),
    ...hang('    unseen', 10, unseen.map((row) => row.operation).join('; ')),
  ];
}

/** A label of `labelWidth` columns (colours count none) and beside it the text, broken between words to stay within the screen. */
function hang(label: string, labelWidth: number, text: string): string[] {
  const indent = labelWidth + 2;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > screenColumns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((part, index) => `${index === 0 ? `${label}  ` : ' '.repeat(indent)}${part}`);
}
