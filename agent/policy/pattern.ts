import { collapseSlashes, maxPathBytes } from './path.ts';

const maxAlternatives = 256;

class PatternProblem extends Error {}

/**
 * Says what is wrong with a glob; undefined when it can be parsed. Tokens: star, double star, question mark,
 * `[class]`, `{a,b}`, backslash and a character.
 */
export function patternProblem(written: string): string | undefined {
  const pattern = collapseSlashes(written);
  if (pattern === '') return 'a pattern that is not empty';
  if (pattern.includes('\0')) return 'a pattern without NUL bytes';
  if (Buffer.byteLength(pattern) > maxPathBytes) return `a pattern of at most ${maxPathBytes} bytes`;
  try {
    const { count } = sequence(pattern, 0, 0);
    return count > maxAlternatives ? `a pattern with at most ${maxAlternatives} results of its braces` : undefined;
  } catch (error) {
    if (error instanceof PatternProblem) return error.message;
    throw error;
  }
}

/** Counts what the braces from `at` on expand to; ends behind the text, or inside braces at their comma or end. */
function sequence(pattern: string, at: number, depth: number): { count: number; end: number } {
  if (depth > 16) throw new PatternProblem('a pattern with braces nested at most 16 deep');
  let count = 1;
  let i = at;
  while (i < pattern.length) {
    const c = pattern[i];
    if (depth > 0 && (c === ',' || c === '}')) return { count, end: i };
    if (c === '\\') {
      if (i + 1 === pattern.length) throw new PatternProblem('a pattern that does not end with a single "\\"');
      i += 2;
    } else if (c === '[') {
      i = classEnd(pattern, i);
    } else if (c === '{') {
      let sum = 0;
      do {
        const alternative = sequence(pattern, i + 1, depth + 1);
        sum += alternative.count;
        i = alternative.end;
        if (i >= pattern.length) throw new PatternProblem('a pattern in which every "{" has its "}"');
      } while (pattern[i] === ',');
      count = Math.min(count * sum, maxAlternatives + 1);
      i++;
    } else i++;
  }
  return { count, end: i };
}

/** Index behind the `]` of the class that begins at `at`; a `]` that stands first is a member. */
function classEnd(pattern: string, at: number): number {
  let i = at + 1;
  if (pattern[i] === '!' || pattern[i] === '^') i++;
  const first = i;
  while (i < pattern.length && (pattern[i] !== ']' || i === first)) {
    if (pattern[i] === '\\') i++;
    const member = pattern.charCodeAt(i);
    if (member > 0x7f) throw new PatternProblem('a pattern whose classes hold single bytes only');
    const upper = pattern[i + 1] === '-' && pattern[i + 2] !== ']' ? pattern.charCodeAt(i + 2) : Number.NaN;
    if (upper < member) throw new PatternProblem('a pattern whose class ranges run upwards');
    i++;
  }
  if (i >= pattern.length) throw new PatternProblem('a pattern in which every "[" has its "]"');
  return i + 1;
}
