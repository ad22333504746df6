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

/** The rule that decides, and for which of the paths. */
export interface JudgedCall {
  /** OUTCOME_NONE: no rule. */
  outcome: number;
  path: string;
}

/**
 * What the rules of a system call say about its paths, and those on the call alone: the same search as bpf/call.h, for paths that
 * only the agent knows (alert flag `path-late`). Rules on system calls have no qualifiers, so there is one kind of access. Of two
 * paths the one with the more specific rule is told, else the first.
 *
 * @param program path of the one that makes the call, undefined: unknown
 */
export function judgeSyscall(
  names: RuleNames,
  syscall: number,
  paths: readonly string[],
  program: string | undefined,
): JudgedCall {
  const category = categories.CATEGORY_SYSCALL | (syscall << keys.KEY_DETAIL);
  const index = indexOf(names);
  const none: JudgedCall = { outcome: outcomes.OUTCOME_NONE, path: paths[0] ?? '' };
  for (const source of [...sourcesOf(index, program), 0]) {
    let best = { ...none, rank: -1 };
    for (const path of paths) {
      const found = search(index, category, source, path);
      if (found.rank > best.rank || (found.rank === best.rank && found.outcome < best.outcome))
        best = { ...found, path };
    }
    if (best.rank >= 0) return { outcome: best.outcome, path: best.path };
    const outcome = index.get(keyOf(category, source, undefined))?.exact[0] ?? none.outcome;
    if (outcome !== none.outcome) return { ...none, outcome };
  }
  return none;
}

/** Under one source: the exact path, else the deepest directory. The higher the rank, the more specific; -1: nothing. */
function search(
  index: ReadonlyMap<string, LateEntry>,
  category: number,
  source: number,
  path: string,
): { outcome: number; rank: number } {
  const none = outcomes.OUTCOME_NONE;
  if (path === '') return { outcome: none, rank: -1 };
  const exact = index.get(keyOf(category, source, path))?.exact[0] ?? none;
  if (exact !== none) return { outcome: exact, rank: Number.POSITIVE_INFINITY };
  for (const [at, distance] of upwards(path)) {
    const entry = index.get(keyOf(category, source, at));
    const outcome = (distance <= 1 ? entry?.near[0] : entry?.deep[0]) ?? none;
    if (outcome !== none) return { outcome, rank: depthOf(at) };
  }
  return { outcome: none, rank: -1 };
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
