import type { Figure } from '../bench.ts';
import type { Report } from './stage.ts';
import { type Depth, files, states } from './states.ts';

/** The clock of the guest: 2 ns for each instruction (QEMU: -icount shift=1). */
const nanosecondsPerInstruction = 2;

/** Targets, in instructions added per open and close. */
const targets: Readonly<Record<string, number>> = { outside: 350, 'one-rule-3': 2500 };

/**
 * The figures of one run: `baseline-3` is the loop itself at three components; `outside`, `one-rule-3` and so on are what
 * the state adds to it.
 */
export function figuresOf(report: Report): Figure[] {
  const figures: Figure[] = [];
  const depths = Object.keys(files).map(Number) as Depth[];
  const add = (name: string, value: number): void => {
    const target = targets[name];
    figures.push({ name, value: Math.round(value), unit: 'instructions', ...(target !== undefined && { target }) });
  };
  for (const depth of depths) {
    const cost = (state: string) => instructions(report, state, depth);
    const unloaded = states.filter(({ where }) => where.kind === 'unloaded').map(({ name }) => cost(name));
    const baseline = Math.min(...unloaded);
    add(`baseline-${depth}`, baseline);
    for (const { name, where } of states)
      if (where.kind === 'workload') add(`${name}-${depth}`, cost(name) - baseline);
      else if (where.kind === 'outside' && depth === 3) add(name, cost(name) - baseline);
  }
  figures.push({ name: 'load', value: Math.round(report.loadMs), unit: 'ms' });
  return figures;
}

/**
 * One open and close in a state. The quickest round counts: it is the one without a timer tick and without the work that
 * the kernel put off (RCU), and it repeats to the instruction.
 */
function instructions({ rounds, times }: Report, state: string, depth: Depth): number {
  const nanoseconds = rounds[state]?.[files[depth]] ?? [];
  if (nanoseconds.length === 0 || !nanoseconds.every((each) => each > 0))
    throw new Error(`the guest reported no rounds for ${state} at ${depth} components`);
  return Math.min(...nanoseconds) / times / nanosecondsPerInstruction;
}
