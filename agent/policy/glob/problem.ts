import { collapseSlashes, isOdd, maxPathBytes } from '../path.ts';
import { expandGlob } from './brace.ts';
import { PatternProblem } from './class.ts';
import { tokensOf } from './token.ts';

/** Says what is wrong with a glob; undefined when it can be parsed. */
export function patternProblem(written: string): string | undefined {
  const pattern = collapseSlashes(written);
  if (pattern === '') return 'a pattern that is not empty';
  if (pattern.includes('\0')) return 'a pattern without NUL bytes';
  if (isOdd(pattern)) return 'a pattern without halves of surrogate pairs';
  if (Buffer.byteLength(pattern) > maxPathBytes) return `a pattern of at most ${maxPathBytes} bytes`;
  try {
    for (const alternative of expandGlob(pattern)) tokensOf(alternative);
    return undefined;
  } catch (error) {
    if (error instanceof PatternProblem) return error.message;
    throw error;
  }
}
