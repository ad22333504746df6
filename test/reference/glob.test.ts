import { describe, expect, it } from 'vitest';
import { globMatches } from './glob.ts';

const table: [pattern: string, matches: string[], differs: string[]][] = [
  ['/a/*', ['/a/b', '/a/.h', '/a/'], ['/a/b/c', '/a', '/b/a']],
  ['/a/*.key', ['/a/x.key', '/a/.key'], ['/a/b/x.key', '/a/x.keys']],
  ['/a?', ['/ab', '/a.'], ['/a', '/a/', '/abc']],
  ['/a/**', ['/a/', '/a/b', '/a/b/c'], ['/a', '/ab']],
  ['/a/**/b', ['/a/b', '/a/c/b', '/a/c/d/b', '/a//b'], ['/ab', '/a/cb', '/a/b/c']],
  ['/a**b', ['/ab', '/a/b', '/axx/yyb'], ['/a', '/b']],
  ['/a/[abc]', ['/a/a', '/a/c'], ['/a/d', '/a/', '/a/ab']],
  ['/a/[a-cx]1', ['/a/b1', '/a/x1'], ['/a/d1', '/a/-1']],
  ['/a/[!x]', ['/a/a', '/a/!'], ['/a/x', '/a//']],
  ['/a/[^a-z]', ['/a/A', '/a/0'], ['/a/b', '/a//']],
  ['/{a,b}/c', ['/a/c', '/b/c'], ['/ab/c', '/c', '/{a,b}/c']],
  ['/{a*,{x,y}z}/c', ['/a1/c', '/xz/c', '/yz/c'], ['/x/c', '/z/c']],
  ['/{,a}b', ['/b', '/ab'], ['/a']],
  ['/a\\*b', ['/a*b'], ['/axb', '/a\\*b']],
  ['/a\\{b,c\\}', ['/a{b,c}'], ['/ab']],
  ['/\\[x]', ['/[x]'], ['/x']],
  ['/**/b/**', ['/b/x', '/a/b/c', '/a/b/'], ['/b', '/ab/c']],
  ['/x/**/**/y', ['/x/a/y', '/x/a/b/y'], ['/xy']],
  ['/**/**/b', ['/b', '/a/b', '/a/c/b'], ['/ab', '/bb/c']],
  ['/\xc3\xa9?', ['/\xc3\xa9x'], ['/\xc3\xa9']],
  ['/??', ['/\xc3\xa9'], ['/\xe9']],
];

describe('globMatches()', () => {
  it.for(table)('%s', ([pattern, matches, differs]) => {
    expect(matches.filter((path) => !globMatches(pattern, path))).toEqual([]);
    expect(differs.filter((path) => globMatches(pattern, path))).toEqual([]);
  });

  it('comes to an end with many stars and the longest path', () => {
    const path = `/${'a/'.repeat(2046)}`;
    expect(globMatches('/**a**a**a**a**a**b', path)).toBe(false);
    expect(globMatches('/**/a/**/a/**/*', path)).toBe(true);
  });
});
