import pc from 'picocolors';
import { coveredOperations } from './coverage.ts';
import { type Facts, gatherFacts, type Probes } from './facts.ts';
import { type Backend, type Feature, judge, type Report } from './feature.ts';
import { machineProbes } from './probes.ts';

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
  lines.push('', `${pc.bold('Backend')}  ${backend ?? 'none'}: ${reason}`);
  if (backend !== null) lines.push('', pc.bold('What it does'), ...renderCoverage(backend));
  return `${lines.join('\n')}\n`;
}

function renderFeature({ feature, ok, tried, required, found, means, todo }: Feature): string[] {
  if (!tried) return [`${pc.dim('?  ')} ${feature.padEnd(16)}${found}`];
  const mark = ok ? pc.green('ok ') : required ? pc.red('no ') : pc.yellow('-  ');
  const line = `${mark} ${feature.padEnd(16)}${found}`;
  if (ok) return [line];
  return [line, `${' '.repeat(8)}means  ${means}`, `${' '.repeat(8)}do     ${todo}`];
}

function renderCoverage(backend: Backend): string[] {
  const seen = coveredOperations.filter((row) => row.coverage[backend] !== 'unseen');
  const unseen = coveredOperations.filter((row) => row.coverage[backend] === 'unseen');
  return [
    ...seen.map((row) => `    ${row.operation.padEnd(40)}${row.coverage[backend]}`),
    ...wrap(`unseen: ${unseen.map((row) => row.operation).join('; ')}`, 92).map((line) => `    ${line}`),
  ];
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > width) lines.push(`        ${word}`);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
