import { category as categories, key as keys, outcome as outcomes } from '../abi.gen.ts';
import { depthOf } from './path.ts';
import type { LateEntry, RuleNames, RuleSet } from './ruleset.ts';

/** Late entries by category, source and path; made once per rule set, because every late path asks. */
const indexes = new WeakMap<RuleNames, ReadonlyMap<string, LateEntry>>();

/** What is kept of a rule set to name its verdicts, and to judge the system calls whose paths only the agent knows. */
export function namesOf({ rules, entries }: RuleSet): RuleNames {
  const late = entries.flatMap(({ object, category, source, exact, near, deep }): LateEntry[] => {
    const kind = category & 0xff;
    if (kind !== categories.CATEGORY_SYSCALL && kind !== keys.KEY_SOURCE) return [];
    return [{ category, source, exact, near, deep, ...(object.kind === 'path' && { path: object.path }) }];
  });
  return { rules, late };
}

/**
 * What the rules of a system call say about a path, and those on the call alone: the same search as bpf/judge.h, for paths that
 * only the agent knows (alert flag `path-late`). Rules on system calls have no qualifiers, so there is one kind of access.
 * `program`: path of the one that makes the call, undefined: unknown.
 */
export function judgeSyscall(names: RuleNames, syscall: number, path: string, program: string | undefined): number {
  const category = categories.CATEGORY_SYSCALL | (syscall << keys.KEY_DETAIL);
  const index = indexOf(names);
  for (const source of [...sourcesOf(index, program), 0]) {
    const found = search(index, category, source, path);
    if (found !== outcomes.OUTCOME_NONE) return found;
  }
  return outcomes.OUTCOME_NONE;
}

/** Under one source: the exact path, else the deepest directory, else the rules without a path. */
function search(index: ReadonlyMap<string, LateEntry>, category: number, source: number, path: string): number {
  const none = outcomes.OUTCOME_NONE;
  const exact = index.get(keyOf(category, source, path))?.exact[0] ?? none;
  if (exact !== none) return exact;
  for (const [at, distance] of upwards(path)) {
    const entry = index.get(keyOf(category, source, at));
    const outcome = (distance <= 1 ? entry?.near[0] : entry?.deep[0]) ?? none;
    if (outcome !== none) return outcome;
  }
  return index.get(keyOf(category, source, undefined))?.exact[0] ?? none;
}

/** The numbers of the sources that a program is, most specific first. */
function sourcesOf(index: ReadonlyMap<string, LateEntry>, program: string | undefined): number[] {
  if (!program?.startsWith('/')) return [];
  const found: number[] = [];
  for (const [at, distance] of upwards(program)) {
    const entry = index.get(keyOf(keys.KEY_SOURCE, 0, at));
    const part = distance === 0 ? 'exact' : distance === 1 ? 'near' : 'deep';
    const number = entry?.[part][0] ?? 0;
    if (number !== 0) found.push(number);
  }
  return found;
}

/** The path and the directories above it, with their distance from it. */
function* upwards(path: string): Generator<[at: string, distance: number]> {
  const depth = depthOf(path);
  let at = path;
  for (let distance = 0; distance < depth; distance++) {
    yield [at, distance];
    at = at.slice(0, at.lastIndexOf('/'));
  }
  yield ['/', depth];
}

function indexOf(names: RuleNames): ReadonlyMap<string, LateEntry> {
  let index = indexes.get(names);
  if (index === undefined) {
    index = new Map(names.late.map((entry) => [keyOf(entry.category, entry.source, entry.path), entry]));
    indexes.set(names, index);
  }
  return index;
}

function keyOf(category: number, source: number, path: string | undefined): string {
  return `${category} ${source} ${path ?? ''}`;
}
