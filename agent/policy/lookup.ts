import { category as categories, outcome as outcomes } from '../abi.gen.ts';
import type { RuleEntry, RuleNames } from './ruleset.ts';

/** Syscall entries by category and path; made once per rule set, because every late path asks. */
const indexes = new WeakMap<RuleNames, ReadonlyMap<string, RuleEntry>>();

/**
 * What the rules of a system call say about a path: the same search as bpf/judge.h, for paths that only the agent knows
 * (alert flag `path-late`). Rules on system calls have no qualifiers, so there is one kind of access. Rules that name no
 * path are not looked at.
 */
export function judgeSyscall(ruleSet: RuleNames, syscall: number, path: string): number {
  const category = categories.CATEGORY_SYSCALL | (syscall << 8);
  const index = indexOf(ruleSet);
  const none = outcomes.OUTCOME_NONE;
  const exact = index.get(keyOf(category, path))?.exact[0] ?? none;
  if (exact !== none) return exact;
  let distance = 0;
  for (let at = path; ; at = parentOf(at), distance++) {
    const entry = index.get(keyOf(category, at));
    const outcome = (distance <= 1 ? entry?.near[0] : entry?.deep[0]) ?? none;
    if (outcome !== none) return outcome;
    if (at === '/') return none;
  }
}

function indexOf(ruleSet: RuleNames): ReadonlyMap<string, RuleEntry> {
  let index = indexes.get(ruleSet);
  if (index === undefined) {
    index = new Map(lateEntries(ruleSet).map((entry) => [keyOf(entry.category, entry.path ?? ''), entry]));
    indexes.set(ruleSet, index);
  }
  return index;
}

/** The entries that are compared here. */
export function lateEntries({ entries }: RuleNames): RuleEntry[] {
  return entries.filter(
    ({ category, path }) => (category & 0xff) === categories.CATEGORY_SYSCALL && path !== undefined,
  );
}

function keyOf(category: number, path: string): string {
  return `${category} ${path}`;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
