import { pathBytes } from '../pathname.ts';
import { type ByteSet, classOf, notSlash, single, slashAlone } from './byte-set.ts';
import { PatternProblem, readClass } from './class.ts';

/** A piece of a pattern without braces: one byte of a set (`literal`: the pattern names it), or an asterisk. */
export type Token = { kind: 'byte'; set: ByteSet; literal: boolean } | { kind: 'star' };

const star: Token = { kind: 'star' };
const question: Token = { kind: 'byte', set: notSlash, literal: false };
const slash: Token = { kind: 'byte', set: slashAlone, literal: true };

/** Reads a pattern whose braces are expanded. Throws PatternProblem. */
export function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; ) {
    const c = pattern[i];
    if (c === '*') tokens.push(star);
    else if (c === '?') tokens.push(question);
    else if (c === '/') tokens.push(slash);
    if (c === '*' || c === '?' || c === '/') {
      i++;
    } else if (c === '[') {
      const { members, negated, end } = readClass(pattern, i);
      tokens.push({ kind: 'byte', set: classOf(members, negated), literal: false });
      i = end;
    } else {
      if (c === '\\' && ++i === pattern.length)
        throw new PatternProblem('a pattern that does not end with a single "\\"');
      const character = String.fromCodePoint(pattern.codePointAt(i) ?? 0);
      for (const byte of pathBytes(character)) tokens.push({ kind: 'byte', set: single(byte), literal: true });
      i += character.length;
    }
  }
  return tokens;
}

export function isSlash(token: Token | undefined): boolean {
  return token?.kind === 'byte' && token.set === slashAlone;
}
