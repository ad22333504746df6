import { describe, expect, it } from 'vitest';
import { Budget, maxPositions, maxStates, maxWords } from '../../../../agent/policy/glob/bounds.ts';
import { expandGlob } from '../../../../agent/policy/glob/brace.ts';
import { globDirectory, respellGlob } from '../../../../agent/policy/glob/directory.ts';
import { GlobError } from '../../../../agent/policy/glob/error.ts';
import { groupGlobs } from '../../../../agent/policy/glob/group.ts';
import { partsOf } from '../../../../agent/policy/glob/part.ts';
import { patternProblem } from '../../../../agent/policy/glob/problem.ts';
import { matching } from './globs.ts';

const group = (patterns: string[], budget?: Budget) =>
  groupGlobs(
    patterns.map((pattern, id) => ({ pattern, id })),
    budget,
  );
const numbers = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));

describe('globDirectory() and respellGlob()', () => {
  it.each<[pattern: string, directory: string, respelt: string]>([
    ['/a/b/*.c', '/a/b', '/x/*.c'],
    ['/a*', '/', '/x/a*'],
    ['/*', '/', '/x/*'],
    ['/a/**/b', '/a', '/x/**/b'],
    ['/a/b', '/a', '/x/b'],
    ['/a/b[c/d]e', '/a', '/x/b[c/d]e'],
    ['/a/{b/c,d}', '/a', '/x/{b/c,d}'],
    ['/a\\*b/c?', '/a*b', '/x/c?'],
    ['/a/\\*/c', '/a/*', '/x/c'],
    ['/ä/?', '/ä', '/x/?'],
    ['**/a', '/', '**/a'],
    ['{/a,/b}/c', '/', '{/a,/b}/c'],
    ['a/b*', '/', 'a/b*'],
  ])('%s: %s', (pattern, directory, respelt) => {
    expect(globDirectory(pattern)).toBe(directory);
    expect(respellGlob(pattern, '/x')).toBe(respelt);
  });

  it('takes a directory for what it is, not for a pattern', () => {
    const respelt = respellGlob('/a/*.c', '/x*{1,2}[y]\\');
    expect(globDirectory(respelt)).toBe('/x*{1,2}[y]\\');
    expect(respellGlob('/a/*.c', '/')).toBe('/*.c');
  });
});

describe('expandGlob()', () => {
  it.each<[string, string[]]>([
    ['/a', ['/a']],
    ['/{a,b}{c,d}', ['/ac', '/ad', '/bc', '/bd']],
    ['/{a,{b,c}d}/e', ['/a/e', '/bd/e', '/cd/e']],
    ['/a{,b}', ['/a', '/ab']],
    ['/{a}{}', ['/a']],
    ['/{a\\,b,[,}]}', ['/a\\,b', '/[,}]']],
    ['/\\{a,b}', ['/\\{a,b}']],
    ['/{a,a}', ['/a']],
  ])('%s', (pattern, expected) => {
    expect(expandGlob(pattern)).toEqual(expected);
  });
});

describe('patternProblem()', () => {
  it.each([
    ['', 'not empty'],
    ['/a\0', 'NUL'],
    [`/${'a'.repeat(4095)}`, '4095 bytes'],
    ['/a[', 'every "[" has its "]"'],
    ['/a[]', 'every "[" has its "]"'],
    ['/a[!]', 'every "[" has its "]"'],
    ['/a[a-', 'every "[" has its "]"'],
    ['/a[\\]', 'every "[" has its "]"'],
    ['/{[,x}]', 'every "{" has its "}"'],
    ['/{[,x}]}', undefined],
    ['/{[,x}', 'every "[" has its "]"'],
    ['/{[a,x}]}]', undefined],
    ['/[z-a]', 'upwards'],
    ['/[ä]', 'single bytes'],
    ['/[a-ä]', 'single bytes'],
    ['/{a', 'every "{" has its "}"'],
    ['/{a,{b}', 'every "{" has its "}"'],
    ['/a\\', 'single "\\"'],
    ['/{a\\', 'single "\\"'],
    ['/a}', undefined],
    ['/a,b', undefined],
    [`/${'{a,b}'.repeat(8)}`, undefined],
    [`/${'{a,b}'.repeat(9)}`, 'at most 256'],
    [`/${'{a,b}'.repeat(800)}`, 'at most 256'],
    [`/${'{'.repeat(17)}${'}'.repeat(17)}`, 'at most 16 deep'],
  ])('%j', (pattern, problem) => {
    if (problem === undefined) expect(patternProblem(pattern)).toBeUndefined();
    else expect(patternProblem(pattern)).toContain(problem);
  });
});

describe('groupGlobs()', () => {
  it('makes an automaton for each directory, and one for equal tails', () => {
    const groups = group(['/a/*.x', '/b/c/*.x', '/a/*.y', '/**/z', '/{d,e}/*.x', '/f']);
    expect(groups.map(({ directory }) => directory)).toEqual(['/', '/a', '/b/c', '/d', '/e']);
    const digests = groups.map(({ automaton }) => automaton.digest);
    expect(digests[2]).toBe(digests[3]);
    expect(digests[3]).toBe(digests[4]);
    expect(new Set(digests).size).toBe(3);
    const [root] = groups;
    expect(root?.automaton.accepts).toHaveLength(3); // none, and one for each of z and f
    expect(matching(groups, Buffer.from('/f'))).toEqual([5]);
  });

  it('leaves out what no path can match', () => {
    expect(group(['a/b', '*', '/a/[/]', ''])).toEqual([]);
  });

  it('tells patterns that match together by one accept id', () => {
    const [only] = group(['/a/*.x', '/a/b*']);
    expect(only?.automaton.accepts).toEqual([[], [1], [0], [0, 1]]);
    expect(matching(group(['/a/*.x', '/a/b*', '/a/b*']), Buffer.from('/a/b.x'))).toEqual([0, 1, 2]);
  });

  it('has small tables for the usual sets of fifty', () => {
    const words = numbers(50, (i) => (i * 7919).toString(36).padStart(4, 'qx'));
    const sets = {
      'own directories': words.map((word) => `/srv/${word}/*.${word}`),
      'one directory': words.map((word) => `/data/*.${word}`),
      'any depth': words.map((word) => `/data/**/*.${word}`),
      'beginnings of names': words.map((word) => `/usr/bin/${word}*`),
    };
    for (const [name, patterns] of Object.entries(sets)) {
      const groups = group(patterns);
      const bytes = groups.reduce((sum, { automaton }) => sum + automaton.bytes.length, 0);
      const states = groups.reduce((sum, { automaton }) => sum + automaton.states, 0);
      console.log(`50 globs, ${name}: ${states} states, ${bytes} bytes in ${groups.length} automata`);
      expect(groups.every(({ automaton }) => automaton.form === 'table')).toBe(true);
      expect(bytes).toBeLessThanOrEqual(40_000);
    }
  });

  it('takes bits for a set whose table would explode', () => {
    const [only] = group(numbers(50, (i) => `/data/*name${i}x*`));
    expect(only?.automaton).toMatchObject({ form: 'bits', parts: 1 });
    expect(only?.automaton.bytes.length).toBeLessThan(40_000);
    const [hostile] = group(['/*a???????????????????????']);
    expect(hostile?.automaton).toMatchObject({ form: 'bits', parts: 1, states: 25 });
  });

  it('splits what is too large for one part, and says the same', () => {
    const names = numbers(3000, (i) => `/srv/name-${i}-*`);
    const tables = group(names);
    expect(tables[0]?.automaton).toMatchObject({ form: 'table', parts: 2 });
    for (const i of [0, 1, 17, 1234, 2999]) expect(matching(tables, Buffer.from(`/srv/name-${i}-x`))).toEqual([i]);
    expect(matching(tables, Buffer.from('/srv/name-3000-x'))).toEqual([]);
    const bits = group(numbers(300, (i) => `/srv/*name${i}x*`));
    expect(bits[0]?.automaton).toMatchObject({ form: 'bits', parts: 4 });
    expect(matching(bits, Buffer.from('/srv/name1x-name299x'))).toEqual([1, 299]);
    for (const { automaton } of [...tables, ...bits])
      for (const part of partsOf(automaton.bytes))
        expect(part.size).toBeLessThanOrEqual(part.form === 'table' ? maxStates : maxWords);
  });

  it('holds a thousand endings of names in one table', () => {
    const [only] = group(numbers(1000, (i) => `/srv/**/*.x${i}`));
    expect(only?.automaton).toMatchObject({ form: 'table', parts: 1 });
  });

  it.each([
    ['/*a', '?', 3000],
    ['/a/*', 'b*?', 1000],
    ['/', '**/a?', 800],
    ['/*', 'a?*', 1000],
    ['/[!a]*', '{a,b}?'.repeat(8), 1],
    ['/**/', '*a*/**/', 500],
  ])('stops early at a hostile pattern: %s, and %s %i times', (head, part, times) => {
    const budget = new Budget();
    const all = budget.left;
    try {
      group([head + part.repeat(times)], budget);
    } catch (error) {
      expect(error).toBeInstanceOf(GlobError);
    }
    // A table of maxStates needs as many rows, each with as many steps as states are there together.
    expect(all - budget.left).toBeLessThan(all);
  });

  it('spends no more than its budget on many hostile patterns, and goes on with bits', () => {
    const budget = new Budget(2_000_000);
    const groups = group(
      numbers(200, (i) => `/d${i}/*${i}a????????????????????????`),
      budget,
    );
    expect(groups).toHaveLength(200);
    expect(groups.every(({ automaton }) => automaton.form === 'bits')).toBe(true);
    expect(budget.left).toBeGreaterThan(-1_000_000);
  });

  it('names the patterns that are too large in both forms', () => {
    const large = `/srv/*a${'?'.repeat(64 * maxWords)}`;
    const failure = () => group(['/srv/*.txt', large, '/etc/*']);
    expect(failure).toThrow(GlobError);
    expect(failure).toThrow('the pattern needs more states than the kernel side can hold: "/srv/*a?');
    try {
      failure();
    } catch (error) {
      expect(error).toMatchObject({ code: 'LoadFailed', ids: [1], patterns: [large] });
    }
    expect(() => group(numbers(3000, (i) => `/srv/*n${i}x*`))).toThrow(
      /^the patterns together need more states than the kernel side can hold: "\/srv\/\*n\d+x\*", .* and 2995 more$/,
    );
    expect(() => group(numbers(2, (i) => `/${i}{${numbers(255, (k) => `${k}`).join()}}${'?'.repeat(3000)}`))).toThrow(
      `more than ${maxPositions} characters`,
    );
  });
});
