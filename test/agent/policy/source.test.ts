import { describe, expect, it } from 'vitest';
import { CompileError } from '../../../agent/policy/compile-error.ts';
import { numberRules } from '../../../agent/policy/number.ts';
import { numberSources } from '../../../agent/policy/source.ts';
import { rulePaths } from '../../../agent/policy/spelling.ts';
import { ksp, understood } from './objects.ts';

type Source = { path: string } | { dir: string; recursive?: boolean };

function numbered(fromSources: Source[][], spellings: Record<string, string[]> = {}) {
  const matchPaths = fromSources.map((fromSource, i) => ({ path: `/f${i}`, fromSource }));
  const { rules } = numberRules([understood(ksp({ file: { matchPaths } }))]);
  const paths = rules.flatMap(rulePaths);
  const { of, entries } = numberSources(rules, new Map(paths.map((path) => [path, spellings[path] ?? [path]])));
  const found = entries.map(({ object, exact, near, deep }) => [
    object.kind === 'path' && object.path,
    [exact[0], near[0], deep[0]],
  ]);
  return { of: Object.fromEntries(of), places: Object.fromEntries(found) };
}

describe('numberSources()', () => {
  it('leads from a program, and from a directory to what lies in it, to the rules', () => {
    expect(numbered([[{ path: '/bin/sh' }], [{ dir: '/opt/' }], [{ dir: '/usr/', recursive: true }]])).toEqual({
      of: { 0: [1], 1: [2], 2: [3] },
      places: { '/bin/sh': [1, 0, 0], '/opt': [0, 2, 0], '/usr': [0, 3, 3] },
    });
  });

  it('keeps apart what lies directly in a directory from what lies further below, where the rules differ', () => {
    expect(numbered([[{ dir: '/a/' }], [{ dir: '/a/', recursive: true }]])).toEqual({
      of: { 0: [1], 1: [1, 2] },
      places: { '/a': [0, 1, 2] },
    });
  });

  it('gives one number to all spellings, and to sources that the same rules name', () => {
    const spellings = { '/bin/sh': ['/bin/sh', '/usr/bin/sh', '/usr/bin/dash'] };
    expect(numbered([[{ path: '/bin/sh' }, { path: '/bin/cat' }]], spellings)).toEqual({
      of: { 0: [1] },
      places: {
        '/bin/sh': [1, 0, 0],
        '/usr/bin/sh': [1, 0, 0],
        '/usr/bin/dash': [1, 0, 0],
        '/bin/cat': [1, 0, 0],
      },
    });
  });

  it('counts a rule once that names a source twice', () => {
    expect(numbered([[{ path: '/a' }, { path: '/a' }], [{ path: '/a' }]]).of).toEqual({ 0: [1], 1: [1] });
  });

  const nested = (depth: number): Source[] =>
    [...new Array(depth).keys()].map((i) => ({ dir: `${'/d'.repeat(i)}/`, recursive: true }));

  it('takes sixteen that one program could be', () => {
    expect(() => numbered([nested(16)])).not.toThrow();
    expect(() => numbered([[...nested(15), { path: `${'/d'.repeat(14)}/x` }]])).not.toThrow();
    // Sixteen beside one another, and one-level directories inside one another, are no such chain.
    expect(() => numbered([[...new Array(40).keys()].map((i) => ({ dir: `/d${i}/`, recursive: true }))])).not.toThrow();
    expect(() => numbered([[...new Array(40).keys()].map((i) => ({ dir: `/${'d/'.repeat(i)}` }))])).not.toThrow();
  });

  it.each<[string, Source[]]>([
    ['seventeen recursive directories', nested(17)],
    ['sixteen and a program in the last', [...nested(16), { path: `${'/d'.repeat(15)}/x` }]],
    ['sixteen and a program further down', [...nested(16), { path: `${'/d'.repeat(20)}/x` }]],
    ['sixteen and a directory further down', [...nested(16), { dir: `${'/d'.repeat(20)}/` }]],
  ])('refuses %s', (_, sources) => {
    expect(() => numbered([sources])).toThrow(CompileError);
    expect(() => numbered(sources.map((source) => [source]))).toThrow('more than 16');
  });
});
