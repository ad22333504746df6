import type { Figure } from '../bench.ts';
import type { Report } from './stage.ts';
import { type Operation, states } from './states.ts';

/** The clock of the guest: 2 ns for each instruction (QEMU: -icount shift=1). */
const nanosecondsPerInstruction = 2;

/** One row of the table: what a state adds to an operation. */
export interface Row {
  figure: string;
  text: string;
  state: string;
  operation: Operation;
  /** Instructions added, not to be exceeded. */
  target?: number;
  /** Times the value of another figure, not to be exceeded. */
  atMost?: { times: number; of: string };
  /** Instructions by which it differs from run to run. */
  noise?: number;
  /** KubeArmor 1.7.4's enforcer in the same guest (its own build): instructions added. */
  kubearmor?: number;
}

/** A thousandth of a fork, an exec and an exit, which find the machine's memory a little different each time. */
const execNoise = 600;

export const rows: readonly Row[] = [
  row('outside', 'open + close, outside any workload', 'outside', 'open-3', { target: 300, kubearmor: 940 }),
  row('one-rule-3', 'one path rule, not matching', 'one-rule', 'open-3', { target: 1800, kubearmor: 18_680 }),
  row('one-rule-9', 'the same, 9 components', 'one-rule', 'open-9', { target: 3200, kubearmor: 22_100 }),
  row('directory-rule-3', 'one directory rule, matching', 'directory-rule', 'open-3', { kubearmor: 24_050 }),
  row('directory-rule-9', 'the same, 9 components', 'directory-rule', 'open-9', { kubearmor: 29_500 }),
  row('ten-thousand-rules-3', '10,000 paths, directories, globs', 'ten-thousand-rules', 'open-3', {
    atMost: { times: 1.05, of: 'one-rule-3' },
  }),
  row('recursive-from-source-3', 'directory with fromSource, matching', 'recursive-from-source', 'open-3', {
    target: 2200,
    kubearmor: 24_500,
  }),
  row('recursive-from-source-9', 'the same, 9 components', 'recursive-from-source', 'open-9', {
    target: 3800,
    kubearmor: 30_100,
  }),
  row('globs-50-3', '50 globs, one table', 'globs-50', 'open-3', { atMost: { times: 2, of: 'one-rule-3' } }),
  row('globs-50-second-form-3', '50 globs, bit-parallel', 'globs-50-second-form', 'open-3'),
  row('overlay-one-rule-3', 'one path rule, on overlayfs', 'one-rule', 'overlay-3', {
    atMost: { times: 1.2, of: 'one-rule-3' },
  }),
  row('exec', 'exec of a static program', 'exec', 'exec', {
    target: 6000,
    noise: execNoise,
    kubearmor: 56_000,
  }),
  row('exec-outside', 'the same, outside any workload', 'outside', 'exec', { noise: execNoise }),
  row('socket', 'socket + close', 'socket', 'socket', { target: 1500, kubearmor: 15_040 }),
  row('socket-outside', 'the same, outside any workload', 'outside', 'socket'),
  row('capable', 'a capability check', 'capable', 'capable'),
  row('capable-outside', 'the same, outside any workload', 'outside', 'capable'),
  row('unnamed-syscall', 'a call that no rule names', 'unnamed-syscall', 'getppid'),
];

function row(
  figure: string,
  text: string,
  state: string,
  operation: Operation,
  more: Pick<Row, 'target' | 'atMost' | 'noise' | 'kubearmor'> = {},
): Row {
  return { figure, text, state, operation, ...more };
}

/**
 * The figures of one run: `baseline-OPERATION` is the operation without programs, the others what a state adds to it;
 * `load` and `apply-STATE` are milliseconds.
 */
export function figuresOf(report: Report): Figure[] {
  const unloaded = states.filter(({ where }) => where.kind === 'unloaded').map(({ name }) => name);
  const baseline = (operation: Operation) =>
    Math.min(...unloaded.map((state) => instructions(report, state, operation)));
  const measured = [...new Set(rows.map(({ operation }) => operation))];
  const baselines = measured.map((operation): Figure => {
    return { name: `baseline-${operation}`, value: Math.round(baseline(operation)), unit: 'instructions' };
  });
  const added = new Map(
    rows.map(({ figure, state, operation }) => [
      figure,
      Math.round(instructions(report, state, operation) - baseline(operation)),
    ]),
  );
  const figures = rows.map(({ figure, target, atMost, noise }): Figure => {
    const limit = target ?? (atMost && Math.floor(atMost.times * (added.get(atMost.of) ?? 0)));
    const value = added.get(figure) ?? 0;
    return {
      name: figure,
      value,
      unit: 'instructions',
      ...(limit !== undefined && { target: limit }),
      ...(noise && { noise }),
    };
  });
  const times = Object.entries(report.applyMs).map(([state, value]): Figure => {
    return { name: `apply-${state}`, value, unit: 'ms' };
  });
  return [...baselines, ...figures, { name: 'load', value: Math.round(report.loadMs), unit: 'ms' }, ...times];
}

/**
 * One operation in a state. The quickest round counts: it is the one without a timer tick and without the work that the
 * kernel put off (RCU), and it repeats to the instruction.
 */
function instructions({ rounds, times }: Report, state: string, operation: Operation): number {
  const nanoseconds = rounds[state]?.[operation] ?? [];
  if (nanoseconds.length === 0 || !nanoseconds.every((each) => each > 0))
    throw new Error(`the guest reported no rounds for ${operation} in the state ${state}`);
  return Math.min(...nanoseconds) / times / nanosecondsPerInstruction;
}
