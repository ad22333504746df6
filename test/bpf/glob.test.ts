import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandGlob } from '../../agent/policy/glob/brace.ts';
import { globDirectory } from '../../agent/policy/glob/directory.ts';
import { type GlobGroup, groupGlobs } from '../../agent/policy/glob/group.ts';
import { matchTail } from '../../agent/policy/glob/match.ts';
import { patternProblem } from '../../agent/policy/glob/problem.ts';
import { missingForHost } from '../agent/host.ts';
import { missingClang, named } from '../agent/kernel/compile.ts';
import { bothForms, union } from '../agent/policy/glob/forms.ts';
import { anyPath, anyPattern, tailBelow } from '../agent/policy/glob/globs.ts';
import { slowMatch } from '../agent/policy/glob/slow-match.ts';
import { propertySeed } from '../agent/policy/seed.ts';
import { isLong } from '../scale.ts';
import { KernelGlobs } from './globs.ts';

const missing = missingForHost ?? missingClang;
const numRuns = isLong ? 20_000 : 500;
const seed = propertySeed('globs in the kernel');
const pattern = anyPattern.filter((text) => patternProblem(text) === undefined);
const paths = fc.array(anyPath, { minLength: 1, maxLength: 6 });
const group = (patterns: readonly string[]): GlobGroup[] =>
  groupGlobs(patterns.map((pattern, id) => ({ pattern, id })));
const numbers = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));

describe.skipIf(missing)(named('glob__match() in the kernel', missing), () => {
  let kernel: KernelGlobs;
  beforeAll(() => {
    kernel = new KernelGlobs();
    console.log(`glob.c loaded in ${Math.round(kernel.loadMs)} ms`);
  });
  afterAll(() => kernel?.[Symbol.dispose]());

  /** Runs an automaton in the kernel and here; says what the kernel found after comparing the two. */
  function match({ automaton }: GlobGroup, tail: Buffer, { from = 0 } = {}): number[] {
    const place = kernel.arena.place(automaton);
    try {
      const found = kernel.match(place, Buffer.concat([Buffer.alloc(from, '/'), tail]), from);
      expect([...new Set(found)]).toEqual(matchTail(automaton.bytes, tail)); // two ends of one pattern may be reached
      return found.flatMap((id) => automaton.accepts[id] ?? []).sort((a, b) => a - b);
    } finally {
      kernel.arena.release(place);
      kernel.arena.collect();
    }
  }

  it('finds what matchTail() and a search by trying everything find', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 6 }), paths, fc.nat(200), (patterns, tried, from) => {
        const groups = group(patterns);
        for (const path of tried) {
          const ids = groups.flatMap((one) => {
            const tail = tailBelow(one.directory, path);
            return tail ? match(one, tail, { from }) : [];
          });
          const expected = [...patterns.keys()].filter((id) => slowMatch(patterns[id] as string, path));
          expect([...new Set(ids)].sort((a, b) => a - b)).toEqual(expected);
          found += expected.length;
        }
      }),
      { numRuns, seed },
    );
    expect(found).toBeGreaterThan(numRuns / 2);
  });

  it('finds the same in bits where a table would be taken', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 6 }), paths, (patterns, tried) => {
        const flat = patterns.flatMap(expandGlob).slice(0, 12);
        for (const directory of new Set(flat.map(globDirectory))) {
          const forms = bothForms(flat, directory);
          if (forms === undefined) continue;
          const place = kernel.arena.place({ bytes: forms.bits, digest: 'bits' });
          for (const path of tried) {
            const tail = tailBelow(directory, path);
            if (tail === undefined) continue;
            const ids = kernel.match(place, tail);
            expect(union(ids)).toBe(union(matchTail(forms.table, tail)));
            found += ids.length;
          }
          kernel.arena.release(place);
          kernel.arena.collect();
        }
      }),
      { numRuns, seed },
    );
    expect(found).toBeGreaterThan(numRuns / 2);
  });

  /** One set for each form and shape, with tails that it matches and ends of tails that it does not. */
  const large: [name: string, patterns: string[], shape: object, tail: (length: number) => string, ids: number[]][] = [
    [
      'a table',
      ['/a/**/x*y', '/a/*'],
      { form: 'table', parts: 1 },
      (n) => `${'b/'.repeat(n).slice(0, n - 10)}/x1234567y`,
      [0],
    ],
    [
      'words of bits',
      numbers(50, (i) => `/a/**name${i}q*`),
      { form: 'bits', parts: 1 },
      (n) => `${'n/'.repeat(n).slice(0, n - 8)}/name49q`,
      [49],
    ],
    [
      'one word',
      ['/a/**a??????????????????????'],
      { form: 'bits', parts: 1 },
      (n) => 'b'.repeat(n - 23) + 'a'.repeat(23),
      [0],
    ],
    [
      'sixteen words',
      [`/a/**a${'?'.repeat(1000)}`],
      { form: 'bits', parts: 1 },
      (n) => 'c'.repeat(n - 1001) + 'a'.repeat(1001),
      [0],
    ],
    [
      'four parts',
      numbers(300, (i) => `/a/**name${i}x**`),
      { form: 'bits', parts: 4 },
      (n) => `${'n/'.repeat(n).slice(0, n - 18)}name7x/x/name299x/`,
      [7, 299],
    ],
  ];
  it.each(large)('reads a tail to its end, whatever its length: %s', (_, patterns, shape, make, ids) => {
    const [only] = group(patterns);
    expect(only?.automaton).toMatchObject(shape);
    for (const length of [1023, 1024, 1025, 1087, 1088, 1089, 2047, 4000, 4095]) {
      const tail = Buffer.from(make(length));
      expect(tail.length).toBe(length);
      expect(match(only as GlobGroup, tail)).toEqual(ids);
      tail[length - 1] = 0x0a;
      match(only as GlobGroup, tail);
    }
    for (let length = 0; length < 200; length++)
      match(only as GlobGroup, Buffer.from('name1x/xy'.repeat(25)).subarray(0, length));
  });

  it('tells all thousand states of sixteen words apart', () => {
    const [only] = group(numbers(200, (i) => `/a/*${(i + 300).toString(36)}*q`));
    expect(only?.automaton).toMatchObject({ form: 'bits', parts: 1 });
    const every = Buffer.from(`${numbers(200, (i) => (i + 300).toString(36)).join('')}q`);
    expect(match(only as GlobGroup, every)).toEqual([...Array(200).keys()]);
  });

  it('reads the names of the path that was walked, or says that one has changed', () => {
    const names = process.cwd().slice(1).split('/');
    expect(names.length).toBeGreaterThan(1);
    for (let last = 1; last <= names.length; last++) {
      const [{ automaton } = expect.unreachable()] = group([`/**/${names.slice(-last).join('/')}`, '/*']);
      const place = kernel.arena.place(automaton);
      const ids = kernel.matchDirectory(place, last)?.flatMap((id) => automaton.accepts[id] ?? []);
      expect(ids).toEqual(last === 1 ? [0, 1] : [0]);
      for (let renamed = 1; renamed <= names.length; renamed++)
        expect(kernel.matchDirectory(place, last, renamed) === undefined).toBe(renamed <= last);
      kernel.arena.release(place);
      kernel.arena.collect();
    }
  });

  it('reads paths that are longer than any that a program can name', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-deep-')));
    const before = process.cwd();
    try {
      // 40 names, 8,000 bytes: some begin where the text begins anew.
      process.chdir(folder);
      const names = Array.from({ length: 40 }, (_, i) => `${i}`.padStart(160 + i, 'd'));
      for (const name of names) {
        mkdirSync(name);
        process.chdir(name);
      }
      const patterns = ['/**/?*38/?*39', '/**/*20/**', '/**x**', '/**/*10/*11/**', '/**9/**/*33/**'];
      const { table, bits } = bothForms(patterns, '/') ?? expect.unreachable();
      for (const [digest, bytes] of Object.entries({ table, bits })) {
        const place = kernel.arena.place({ bytes, digest });
        for (const last of [40, 39, 30, 20, 3]) {
          const tail = Buffer.from(names.slice(-last).join('/'));
          expect(kernel.matchDirectory(place, last)).toEqual(matchTail(bytes, tail));
        }
        expect(union(kernel.matchDirectory(place, 40) ?? [])).toBe(0b11011);
        for (const renamed of [1, 20, 40]) expect(kernel.matchDirectory(place, 40, renamed)).toBeUndefined();
        kernel.arena.release(place);
      }
      kernel.arena.collect();
    } finally {
      process.chdir(before);
      execFileSync('rm', ['-rf', folder]); // by steps: the whole path is too long for a call
    }
  });
});
