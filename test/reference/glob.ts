/*
 * Globs of the policy language, 6.5, by trying: a pattern is read into tokens, and each token tries every length that it
 * may have. Patterns and paths are byte strings: one character is one byte.
 */

type Token =
  | { kind: 'text'; text: string }
  /** `?`, or a class: one byte, never a slash. */
  | { kind: 'one'; fits: (byte: string) => boolean }
  /** `*` */
  | { kind: 'some' }
  /** `**` */
  | { kind: 'all' }
  /** `/**` before a slash, which is not part of it: nothing, or a slash and anything. */
  | { kind: 'levels' };

/** Whether the pattern matches the entire path. */
export function globMatches(pattern: string, path: string): boolean {
  return alternatives(pattern).some((one) => matchFrom(tokensOf(one), 0, path, 0, new Set()));
}

/** The pattern without its braces: every combination of the alternatives. */
export function alternatives(pattern: string): string[] {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '[') at = endOfClass(pattern, at);
    else if (pattern[at] === '{') {
      const end = endOfBraces(pattern, at);
      const before = pattern.slice(0, at);
      const after = pattern.slice(end + 1);
      return splitAtCommas(pattern.slice(at + 1, end)).flatMap((each) => alternatives(before + each + after));
    }
  }
  return [pattern];
}

function endOfClass(pattern: string, from: number): number {
  const end = pattern.indexOf(']', from + 2);
  if (end < 0) throw new Error(`open bracket in ${pattern}`);
  return end;
}

function endOfBraces(pattern: string, from: number): number {
  let open = 0;
  for (let at = from; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '{') open++;
    else if (pattern[at] === '}' && --open === 0) return at;
  }
  throw new Error(`open brace in ${pattern}`);
}

function splitAtCommas(text: string): string[] {
  const parts = [''];
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as string;
    if (byte === ',' && open === 0) parts.push('');
    else {
      if (byte === '{') open++;
      if (byte === '}') open--;
      parts[parts.length - 1] += byte === '\\' ? byte + (text[++at] ?? '') : byte;
    }
  }
  return parts;
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at);
    if (rest.startsWith('/**/')) {
      tokens.push({ kind: 'levels' });
      at += 3;
    } else if (rest.startsWith('**')) {
      tokens.push({ kind: 'all' });
      at += 2;
    } else if (rest.startsWith('*')) {
      tokens.push({ kind: 'some' });
      at += 1;
    } else if (rest.startsWith('?')) {
      tokens.push({ kind: 'one', fits: () => true });
      at += 1;
    } else if (rest.startsWith('[')) {
      const end = endOfClass(pattern, at);
      tokens.push({ kind: 'one', fits: classOf(pattern.slice(at + 1, end)) });
      at = end + 1;
    } else if (rest.startsWith('\\')) {
      addText(tokens, rest[1] ?? '\\');
      at += 2;
    } else {
      addText(tokens, rest[0] as string);
      at += 1;
    }
  }
  return tokens;
}

function addText(tokens: Token[], byte: string): void {
  const last = tokens.at(-1);
  if (last?.kind === 'text') last.text += byte;
  else tokens.push({ kind: 'text', text: byte });
}

function classOf(text: string): (byte: string) => boolean {
  const not = text[0] === '!' || text[0] === '^';
  const members = not ? text.slice(1) : text;
  return (byte) => {
    let found = false;
    for (let at = 0; at < members.length; at++) {
      const first = members[at] as string;
      if (members[at + 1] === '-' && members[at + 2] !== undefined) {
        if (first <= byte && byte <= (members[at + 2] as string)) found = true;
        at += 2;
      } else if (byte === first) found = true;
    }
    return found !== not;
  };
}

/** `failed`: pairs of token and place that have been tried in vain; without it some patterns would take for ever. */
function matchFrom(tokens: Token[], number: number, path: string, at: number, failed: Set<number>): boolean {
  const token = tokens[number];
  if (token === undefined) return at === path.length;
  const pair = number * 8192 + at;
  if (failed.has(pair)) return false;
  const next = (to: number): boolean => matchFrom(tokens, number + 1, path, to, failed);
  const matched = tryToken(token, path, at, next);
  if (!matched) failed.add(pair);
  return matched;
}

function tryToken(token: Token, path: string, at: number, next: (to: number) => boolean): boolean {
  const byte = path[at];
  switch (token.kind) {
    case 'text':
      return path.startsWith(token.text, at) && next(at + token.text.length);
    case 'one':
      return byte !== undefined && byte !== '/' && token.fits(byte) && next(at + 1);
    case 'some':
      for (let to = at; ; to++) {
        if (next(to)) return true;
        if (to >= path.length || path[to] === '/') return false;
      }
    case 'all':
      for (let to = at; to <= path.length; to++) if (next(to)) return true;
      return false;
    case 'levels':
      if (next(at)) return true;
      if (byte !== '/') return false;
      for (let to = at + 1; to <= path.length; to++) if (next(to)) return true;
      return false;
  }
}
