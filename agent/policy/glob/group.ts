import { pathBytes } from '../pathname.ts';
import { type Automaton, TooLarge } from './automaton.ts';
import { Budget, maxPositions } from './bounds.ts';
import { expandGlob } from './brace.ts';
import { chainOf, type Tail, tailOf } from './chain.ts';
import { globDirectory } from './directory.ts';
import { GlobError } from './error.ts';
import { AutomatonMemory } from './memory.ts';
import { tokensOf } from './token.ts';

export interface Pattern {
  pattern: string;
  id: number;
}

export interface GlobGroup {
  /** Without trailing slash. What its automaton matches lies strictly below; in `/` it may also be `/` itself, with an empty tail. */
  directory: string;
  automaton: Automaton;
}

const memory = new AutomatonMemory(8 << 20);

/** A tail with the patterns that have it. */
interface Shared {
  tail: Tail;
  patterns: Pattern[];
}

/**
 * Patterns as automata, one for each fixed leading directory; sorted by directory. An alternative in braces goes with its own directory.
 * A pattern that no path can match is in none. The order of the patterns does not matter; equal tails below different directories
 * have equal automata.
 *
 * @throws GlobError naming the patterns that are too large in both forms; PatternProblem for one that cannot be parsed
 */
export function groupGlobs(patterns: readonly Pattern[], budget = new Budget()): GlobGroup[] {
  const directories = new Map<string, Map<string, Shared>>();
  let positions = 0;
  for (const given of patterns)
    for (const pattern of expandGlob(given.pattern)) {
      const directory = globDirectory(pattern);
      const prefix = pathBytes(directory === '/' ? '/' : `${directory}/`);
      const tail = tailOf(chainOf(tokensOf(pattern)), prefix);
      if (tail === undefined) continue;
      positions += tail.chain.loop.length;
      if (positions > maxPositions)
        throw new GlobError(`the patterns together have more than ${maxPositions} characters`, patterns);
      const tails = directories.get(directory) ?? new Map<string, Shared>();
      directories.set(directory, tails);
      const shared = tails.get(tail.key);
      if (shared === undefined) tails.set(tail.key, { tail, patterns: [given] });
      else shared.patterns.push(given);
    }
  return [...directories]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([directory, tails]) => ({ directory, automaton: automatonOf([...tails.values()], budget) }));
}

function automatonOf(shared: Shared[], budget: Budget): Automaton {
  shared.sort((a, b) => (a.tail.key < b.tail.key ? -1 : 1));
  // Tails of the same patterns need not be told apart: they have one label.
  const owners: Pattern[][] = [];
  const known = new Map<string, number>();
  const labels = shared.map(({ patterns }) => {
    const key = ownerIds(patterns).join();
    const label = known.get(key) ?? owners.length;
    if (label === owners.length) owners.push(patterns);
    known.set(key, label);
    return label;
  });
  const tails = shared.map(({ tail }) => tail);
  try {
    const automaton = memory.make(tails, labels, budget);
    const accepts = automaton.accepts.map((own) => ownerIds(own.flatMap((label) => owners[label] ?? [])));
    return { ...automaton, accepts };
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    throw new GlobError(
      error.message,
      error.labels.flatMap((label) => owners[label] ?? []),
    );
  }
}

function ownerIds(patterns: readonly Pattern[]): number[] {
  return [...new Set(patterns.map(({ id }) => id))].sort((a, b) => a - b);
}
