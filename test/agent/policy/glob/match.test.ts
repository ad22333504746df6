import { describe, expect, it } from 'vitest';
import { matches } from './globs.ts';
import { bytesOf, slowMatch } from './slow-match.ts';

/** Pattern, paths that it matches, paths that it does not: the rows of policy language 6.5, then what follows from them. */
const rows: [pattern: string, matched: string[], other: string[]][] = [
  ['/a/*', ['/a/b', '/a/.b', '/a/bc d'], ['/a', '/a/b/c', '/ab', '/b/a']],
  ['/a/*.txt', ['/a/x.txt', '/a/.txt', '/a/a.txt.txt'], ['/a/x.txtx', '/a/b/x.txt', '/a/xtxt']],
  ['/a/b*c', ['/a/bc', '/a/bxxc', '/a/bcc'], ['/a/b/c', '/a/bxxd']],
  ['/a/?', ['/a/b', '/a/.', '/a/*'], ['/a/', '/a/bc', '/a/b/', '/a']],
  ['/a?b', ['/axb'], ['/a/b', '/ab', '/axxb']],
  ['/a/**', ['/a/b', '/a/b/c', '/a/.b/c'], ['/a', '/b/a', '/ab']],
  ['/a**b', ['/ab', '/axb', '/a/b', '/ax/y/b'], ['/a/bc']],
  ['**/x', ['/x', '/a/x', '/a/b/x'], ['/ax', '/x/a', '/a/xb']],
  ['**', ['/', '/a', '/a/b'], []],
  ['/**', ['/', '/a', '/a/b'], []],
  ['/*', ['/', '/a'], ['/a/b']],
  ['/a/**/b', ['/a/b', '/a/x/b', '/a/x/y/b', '/a/b/b'], ['/a/xb', '/ab', '/a/b/c', '/a/bx', '/x/a/b']],
  ['/**/b', ['/b', '/a/b', '/a/a/b'], ['/ab', '/b/a']],
  ['/a/**/*.c', ['/a/x.c', '/a/b/x.c', '/a/.c'], ['/a/x.cc', '/ax.c']],
  ['/a/**/?', ['/a/x', '/a/b/x'], ['/a/xy', '/a', '/a/b/xy']],
  ['/a/**/**/b', ['/a/b', '/a/x/b', '/a/x/y/b'], ['/a/xb']],
  ['/a/**/b/**/c', ['/a/b/c', '/a/x/b/c', '/a/b/y/c', '/a/b/b/c/c'], ['/a/c', '/a/bc', '/a/bx/c']],
  ['/a/***/b', ['/a/x/b', '/a/x/y/b'], ['/a/b']],
  ['/a/[bc]', ['/a/b', '/a/c'], ['/a/d', '/a/bc', '/a/']],
  ['/a/[b-d]x', ['/a/bx', '/a/cx', '/a/dx'], ['/a/ax', '/a/ex', '/a/-x']],
  ['/a/[!b]', ['/a/c', '/a/!', '/a/^'], ['/a/b', '/a/']],
  ['/a/[^b]', ['/a/c', '/a/!', '/a/^'], ['/a/b', '/a/']],
  ['/a[!b]c', ['/axc'], ['/a/c']],
  ['/a[/b]c', ['/abc'], ['/a/c']],
  ['/a[.-0]c', ['/a.c', '/a0c'], ['/a/c']],
  ['/a/[]b]', ['/a/]', '/a/b'], ['/a/c']],
  ['/a/[!]b]', ['/a/c'], ['/a/]', '/a/b']],
  ['/a/[-b]', ['/a/-', '/a/b'], ['/a/a']],
  ['/a/[b-]', ['/a/-', '/a/b'], ['/a/c']],
  ['/a/[\\]\\-z]', ['/a/]', '/a/-', '/a/z'], ['/a/\\', '/a/a']],
  ['/a/[a-\\c]', ['/a/a', '/a/b', '/a/c'], ['/a/d', '/a/\\']],
  ['/a[/]c', [], ['/a/c', '/ac']],
  ['/{a,b}/c', ['/a/c', '/b/c'], ['/c', '/ab/c', '/{a,b}/c']],
  ['/a/*.{jpg,p{n,g}g}', ['/a/x.jpg', '/a/x.png', '/a/x.pgg'], ['/a/x.pg', '/a/x.']],
  ['/a{,b}', ['/a', '/ab'], ['/a,b']],
  ['/a/{*,x}*', ['/a/b/c', '/a/xy'], []],
  ['{/a,b}', ['/a'], ['/b', '/ab']],
  ['/{a/,}**/c', ['/a/c', '/c', '/x/c'], ['/ac']],
  ['/a/\\*', ['/a/*'], ['/a/b', '/a/\\*']],
  ['/a/\\[b]', ['/a/[b]'], ['/a/b']],
  ['/a/\\{b,c}', ['/a/{b,c}'], ['/a/b']],
  ['/a/{b\\,c,d}', ['/a/b,c', '/a/d'], ['/a/b']],
  ['/a/\\\\', ['/a/\\'], ['/a/\\\\']],
  ['/a/x,y}]', ['/a/x,y}]'], []],
  ['/a\\*b/c*', ['/a*b/c', '/a*b/cd'], ['/axb/c']],
  ['/a/b', ['/a/b'], ['/a', '/a/b/c']],
  ['/', ['/'], ['/a']],
  ['a/*', [], ['/a/b']],
  ['*', [], ['/', '/a']],
  ['/a/A*', ['/a/Ab'], ['/a/ab']],
  ['/ä/?', ['/ä/x'], ['/ä/ä']],
  ['/ä/??', ['/ä/ä'], ['/ä/x']],
  ['/ä/[!x]', ['/ä/y', '/ä/\udcff'], ['/ä/ä']],
  ['/a/*', ['/a/\udcff\udc80', '/a/\n', '/a/ä'], []],
];

describe('a glob', () => {
  it.each(rows)('%s matches the whole path or nothing', (pattern, matched, other) => {
    expect(matched.filter((path) => !matches(pattern, path))).toEqual([]);
    expect(other.filter((path) => matches(pattern, path))).toEqual([]);
  });

  it('crosses thousands of names in one go', () => {
    const deep = `/a${'/b'.repeat(2045)}`;
    expect(matches('/a/**/b', deep)).toBe(true);
    expect(matches('/a/**/c', deep)).toBe(false);
    expect(matches('/*/**', deep)).toBe(true);
  });
});

describe('slowMatch()', () => {
  it.each(rows)('%s says the same', (pattern, matched, other) => {
    const slow = (path: string) => slowMatch(pattern, bytesOf(path));
    expect(matched.filter((path) => !slow(path))).toEqual([]);
    expect(other.filter(slow)).toEqual([]);
  });
});
