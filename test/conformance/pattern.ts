import type { Expectation, Pattern } from './schema.ts';

/**
 * Whether all entries of a pattern hold for one alert (or diagnostic). With `orKilled`, the tracepoint backend's way:
 * a Result of Permission denied may read Killed.
 */
export function matches(pattern: Pattern, subject: object, { orKilled = false } = {}): boolean {
  return Object.entries(pattern).every(([field, expected]) => {
    const value = reach(subject, field);
    if (orKilled && field === 'Result' && expected === 'Permission denied' && value === 'Killed') return true;
    return meets(expected, value);
  });
}

/** The value of a field; `A.B` goes into nested objects unless the whole name is a field itself. */
function reach(subject: unknown, field: string): unknown {
  if (typeof subject !== 'object' || subject === null) return undefined;
  const fields = subject as Record<string, unknown>;
  if (Object.hasOwn(fields, field)) return fields[field];
  const dot = field.indexOf('.');
  return dot < 0 ? undefined : reach(fields[field.slice(0, dot)], field.slice(dot + 1));
}

function meets(expected: Expectation, value: unknown): boolean {
  if (typeof expected !== 'object') return value === expected;
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const text = String(value);
  return 'contains' in expected ? text.includes(expected.contains) : new RegExp(expected.matches).test(text);
}
