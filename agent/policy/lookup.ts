import { category as categories, outcome as outcomes } from '../abi.gen.ts';
import type { RuleEntry, RuleSet } from './ruleset.ts';

/**
 * What the rules of a system call say about a path: the same search as bpf/judge.h, for paths that only the agent knows
 * (alert flag `path-late`). Rules on system calls have no qualifiers, so there is one kind of access.
 */
export function judgeSyscall(ruleSet: RuleSet, syscall: number, path: string): number {
  const category = categories.CATEGORY_SYSCALL | (syscall << 8);
  const entries = new Map<string, RuleEntry>();
  for (const entry of ruleSet.entries) if (entry.category === category) entries.set(entry.path ?? '', entry);
  const none = outcomes.OUTCOME_NONE;
  const exact = entries.get(path)?.exact[0] ?? none;
  if (exact !== none) return exact;
  let distance = 0;
  for (let at = path; ; at = parentOf(at), distance++) {
    const entry = entries.get(at);
    const outcome = (distance <= 1 ? entry?.near[0] : entry?.deep[0]) ?? none;
    if (outcome !== none) return outcome;
    if (at === '/') return none;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
