import fc from 'fast-check';
import { type GlobGroup, groupGlobs } from '../../../../agent/policy/glob/group.ts';
import { matchTail } from '../../../../agent/policy/glob/match.ts';
import { pathBytes } from '../../../../agent/policy/pathname.ts';

/** The tail of a path below a directory; undefined: it is not below it. */
export function tailBelow(directory: string, path: Buffer): Buffer | undefined {
  const prefix = pathBytes(directory === '/' ? '/' : `${directory}/`);
  return path.subarray(0, prefix.length).equals(prefix) ? path.subarray(prefix.length) : undefined;
}

/** The ids of the patterns whose automata match a path, as the kernel side finds them. */
export function matching(groups: readonly GlobGroup[], path: Buffer): number[] {
  const ids = groups.flatMap(({ directory, automaton }) => {
    const tail = tailBelow(directory, path);
    return tail ? matchTail(automaton.bytes, tail).flatMap((accept) => automaton.accepts[accept] ?? []) : [];
  });
  return [...new Set(ids)].sort((a, b) => a - b);
}

export function matches(pattern: string, path: string | Buffer): boolean {
  return matching(groupGlobs([{ pattern, id: 0 }]), typeof path === 'string' ? pathBytes(path) : path).length > 0;
}

const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'ab', '/') },
  { weight: 6, arbitrary: fc.constantFrom('*', '**', '/**/', '/**/', '?', '/*/') },
  { weight: 3, arbitrary: fc.constantFrom('[ab]', '[!a]', '[^b/]', '[a-c]', '[]a]', '[/]', '[a\\]]', '[*-]', '[!]]') },
  { weight: 2, arbitrary: fc.constantFrom('\\*', '\\a', '\\\\', '\\{', ',', '}', 'é', '\udcff', '-', ']') },
);
const flat = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const braces = fc
  .array(flat, { minLength: 1, maxLength: 3 })
  .map((parts) => `{${parts.join(',').replace(/[}]/g, '')}}`);
const part = fc.oneof({ weight: 5, arbitrary: flat }, { weight: 1, arbitrary: braces });

/** Patterns with all kinds of pieces; nearly all begin with a slash. */
export const anyPattern: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom('/', '/', '/a/', '/a/b/', '/**/', '', '**/', '{/,/a/}'), fc.array(part, { maxLength: 3 }))
  .map(([head, parts]) => (head + parts.join('')).replace(/\/{2,}/g, '/'));

const pathPiece = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'b', 'c', 'ab', '/', '/') },
  { weight: 2, arbitrary: fc.constantFrom('*', ',', '\\', '}', '{', ']', '-', 'é', '\udcff', '\udc80', '\n') },
);

/** Bytes that begin with a slash, UTF-8 or not. */
export const anyPath: fc.Arbitrary<Buffer> = fc
  .array(pathPiece, { maxLength: 10 })
  .map((pieces) => Buffer.concat([Buffer.from('/'), ...pieces.map(pathBytes)]));
