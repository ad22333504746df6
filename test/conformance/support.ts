import type { Case, Need } from './schema.ts';

/** Why a case cannot be run here (a reason to skip it, visibly), or undefined. */
export function reasonToSkip(given: Case, available: ReadonlySet<Need>): string | undefined {
  const missing = given.needs.filter((need) => !available.has(need));
  const unsupported = new Set(unsupportedParts(given));
  if (unsupported.size > 0) return `not supported by this runner yet: ${[...unsupported].join(', ')}`;
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  return undefined;
}

/** Parts of the format that this runner does not carry out. A case that uses one is never judged. */
function* unsupportedParts({ steps, config }: Case): Iterable<string> {
  if (config) yield 'config';
  for (const step of steps) {
    if (step.kind !== 'command') yield `${step.kind} steps`;
    else {
      if (step.in === 'host') yield 'in: host';
      if (step.tty) yield 'tty';
      if (step.diagnostics.length > 0) yield 'diagnostics';
    }
  }
}
