// The kernel against the page: node test/reference/differential.ts --kernel 6.1|6.12|host [--seed N] [--rounds N]
// [--operations N] [--features -NAME,...]. Prints differences, shrunk, and exits with 1 when there is one.
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import type { KernelSeries } from '../kernel/image.ts';
import { type Bench, openBench } from './bench.ts';
import {
  compareRound,
  type Difference,
  describeDifference,
  describeOperation,
  emptyOutcome,
  NotTaken,
  type Outcome,
} from './compare.ts';
import { allFeatures, type Features, parseFeatures, prevented } from './features.ts';
import { type Round, randomRound } from './round.ts';
import { shrink } from './shrink.ts';
import { setStage } from './stage.ts';

export interface Differential {
  kernel: KernelSeries | 'host';
  /** Of the first round; the others follow. */
  seed: number;
  rounds: number;
  /** Per round. */
  operations: number;
  features?: Features;
  /** Stops after this many rounds with a difference; default 1. */
  most?: number;
  say?: (line: string) => void;
}

export interface Report {
  release: string;
  backend: string;
  decisions: number;
  mute: number;
  alerts: number;
  tally: Map<string, number>;
  /** Each a text that somebody can act upon. */
  failures: string[];
}

/** Rounds in which the alerts are compared as well: waiting for them takes its time. */
const alertsEvery = 5;

/** Compares round after round. */
export async function runDifferential(given: Differential): Promise<Report> {
  const { kernel, seed, rounds, operations, features = allFeatures, most = 1, say = () => {} } = given;
  await using bench = await openBench(kernel);
  const { release, backend } = bench;
  say(`${release}, ${backend}`);
  await setStage(bench);
  say('the stage is set');
  const report: Report = { release, backend, decisions: 0, mute: 0, alerts: 0, tally: new Map(), failures: [] };
  const spent = { build: 0, apply: 0, run: 0 };
  for (let index = 0; index < rounds && report.failures.length < most; index++) {
    const round = randomRound(seed + index, operations, features);
    const { outcome, refusal } = await attempt(bench, round, index % alertsEvery === 0);
    report.alerts += outcome.alerts;
    report.decisions += outcome.decisions;
    report.mute += outcome.mute;
    for (const [what, count] of outcome.tally) report.tally.set(what, (report.tally.get(what) ?? 0) + count);
    if (outcome.differences.length > 0 || refusal !== undefined) {
      const failure = await explain(bench, round, outcome.differences, refusal);
      report.failures.push(failure);
      say(failure);
    }
    for (const what of ['build', 'apply', 'run'] as const) spent[what] += outcome.times[what] / 1000;
    if (index % 10 === 9)
      say(
        `${index + 1} rounds, ${report.decisions} decisions; seconds: build ${spent.build.toFixed(1)}, apply ${spent.apply.toFixed(1)}, run ${spent.run.toFixed(1)}`,
      );
  }
  return report;
}

/** What came of a round; `refusal`: why its policies are not in force. */
async function attempt(bench: Bench, round: Round, alerts: boolean): Promise<{ outcome: Outcome; refusal?: string }> {
  try {
    return { outcome: await compareRound(bench, round, alerts) };
  } catch (error) {
    if (!(error instanceof NotTaken))
      throw new Error(`seed ${round.seed}: ${(error as Error).message}`, { cause: error });
    return { outcome: emptyOutcome(), refusal: error.message };
  }
}

async function explain(
  bench: Bench,
  round: Round,
  differences: readonly Difference[],
  refusal: string | undefined,
): Promise<string> {
  const alerts = differences.every(({ operation }) => operation === undefined);
  const fails = async (candidate: Round): Promise<boolean> => {
    try {
      const result = await attempt(bench, candidate, alerts);
      return refusal === undefined ? result.outcome.differences.length > 0 : result.refusal !== undefined;
    } catch {
      return false; // what was left out is needed
    }
  };
  const small = await shrink(round, fails);
  const { outcome, refusal: left } = await attempt(bench, small, alerts);
  const again = outcome.differences.map(describeDifference);
  const operations = again.some((each) => each.startsWith('alerts')) ? small.operations.map(describeOperation) : [];
  const text =
    left ?? (again.length > 0 ? again.join('\n') : `${differences.map(describeDifference).join('\n')}\nnot seen again`);
  return `seed ${round.seed}:\n${describeRound(small)}\n${[...operations, text].join('\n')}`;
}

/** World, policies and settings as text. */
export function describeRound({ addition, policies, settings }: Round): string {
  const world = { entries: addition.entries, mounts: addition.mounts, late: addition.late };
  return `${JSON.stringify(world)}\n${JSON.stringify(settings)}\n${policies.map((policy) => stringify(policy)).join('---\n')}`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', default: '6.1' },
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '100' },
      operations: { type: 'string', default: '100' },
      features: { type: 'string', default: '' },
      most: { type: 'string', default: '1' },
    },
  });
  const started = performance.now();
  const { decisions, mute, alerts, tally, failures } = await runDifferential({
    kernel: values.kernel as KernelSeries | 'host',
    seed: Number(values.seed),
    rounds: Number(values.rounds),
    operations: Number(values.operations),
    most: Number(values.most),
    features: parseFeatures(values.features, values.kernel === 'host' ? prevented : allFeatures),
    say: (line) => console.log(`${((performance.now() - started) / 1000).toFixed(1)} s: ${line}`),
  });
  for (const [what, count] of [...tally].sort()) console.log(`${String(count).padStart(8)} ${what}`);
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `${decisions} decisions, ${alerts} alerts, ${failures.length} rounds with differences, ${mute} mute, ${seconds} s`,
  );
  process.exitCode = failures.length > 0 ? 1 : 0;
}
