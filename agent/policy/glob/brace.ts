import { PatternProblem, readClass } from './class.ts';

/** Results that the braces of one pattern may have (policy language, 6.5). */
export const maxAlternatives = 256;
const maxDepth = 16;

interface Expanded {
  /** At most one more than `maxAlternatives`. */
  results: string[];
  end: number;
}

/** The patterns without braces that a pattern stands for, in the order of its alternatives. Throws PatternProblem. */
export function expandGlob(pattern: string): string[] {
  const { results } = expand(pattern, 0, 0);
  if (results.length > maxAlternatives)
    throw new PatternProblem(`a pattern with at most ${maxAlternatives} results of its braces`);
  return [...new Set(results)];
}

/** Expands the text from `at` on; ends behind it, or inside braces at their comma or end. */
function expand(pattern: string, at: number, depth: number): Expanded {
  if (depth > maxDepth) throw new PatternProblem(`a pattern with braces nested at most ${maxDepth} deep`);
  let results = [''];
  let i = at;
  let plain = at; // where the text begins that belongs to every result and is not yet in them
  const take = (end: number): void => {
    if (end > plain) results = results.map((result) => result + pattern.slice(plain, end));
  };
  while (i < pattern.length) {
    const c = pattern[i];
    if (depth > 0 && (c === ',' || c === '}')) break;
    if (c === '\\') {
      if (i + 1 === pattern.length) throw new PatternProblem('a pattern that does not end with a single "\\"');
      i += 2;
    } else if (c === '[') {
      i = readClass(pattern, i).end;
    } else if (c === '{') {
      take(i);
      const alternatives: string[] = [];
      do {
        const alternative = expand(pattern, i + 1, depth + 1);
        alternatives.push(...alternative.results);
        i = alternative.end;
        if (i >= pattern.length) throw new PatternProblem('a pattern in which every "{" has its "}"');
      } while (pattern[i] === ',');
      results = product(results, alternatives);
      plain = ++i;
    } else i++;
  }
  take(i);
  return { results, end: i };
}

/** Every head with every tail, as far as the limit; a hostile pattern has millions. */
function product(heads: readonly string[], tails: readonly string[]): string[] {
  const results: string[] = [];
  for (const head of heads)
    for (const tail of tails) {
      if (results.length > maxAlternatives) return results;
      results.push(head + tail);
    }
  return results;
}
