import type { CommandStep } from './schema.ts';

/** How a command ended. */
export interface Outcome {
  /** 128 + signal when a signal ended it; undefined when it was not over in time. */
  status: number | undefined;
  /** Standard output and error together. */
  output: string;
}

/** What a case calls denied: an errno on every backend, with the tracepoint one also the end by SIGKILL. */
export type Backend = 'lsm' | 'tracepoint';

const REFUSAL = /Permission denied|Operation not permitted/;
const KILLED = 128 + 9;

/** Judges exit status and output of a command step; returns what is wrong, or undefined. */
export function judgeOutcome(
  step: Pick<CommandStep, 'expect' | 'output'>,
  outcome: Outcome,
  backend: Backend,
): string | undefined {
  const { status } = outcome;
  if (status === undefined) return 'was not over in time';
  const output = outcome.output.replace(/\n+$/, '');
  const expression = step.output === undefined ? undefined : new RegExp(step.output);
  if (step.expect === 'allowed') {
    if (expression) return expression.test(output) ? undefined : `output does not match ${expression}`;
    return status === 0 ? undefined : `expected allowed, exit status is ${status}`;
  }
  if (status === 0) return 'expected denied, exit status is 0';
  if (backend === 'tracepoint' && (status === KILLED || /^Killed$/m.test(output))) return undefined;
  const wanted = expression ?? REFUSAL;
  return wanted.test(output)
    ? undefined
    : `expected denied, exit status is ${status}, but the output does not match ${wanted}`;
}
