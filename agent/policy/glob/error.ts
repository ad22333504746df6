/** Patterns cannot be had as an automaton within the kernel side's bounds; their policies are not loaded. */
export class GlobError extends Error {
  readonly code = 'LoadFailed';
  /** As given, without repeats. */
  readonly patterns: readonly string[];
  readonly ids: readonly number[];

  constructor(problem: string, patterns: readonly { pattern: string; id: number }[]) {
    const names = [...new Set(patterns.map(({ pattern }) => pattern))];
    const shown = names.slice(0, 5).map((name) => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name));
    const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
    super(`${problem}: ${shown.join(', ')}${more}`);
    this.patterns = names;
    this.ids = [...new Set(patterns.map(({ id }) => id))];
  }
}
