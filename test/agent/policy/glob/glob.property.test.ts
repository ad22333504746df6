import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandGlob } from '../../../../agent/policy/glob/brace.ts';
import { globDirectory } from '../../../../agent/policy/glob/directory.ts';
import { groupGlobs } from '../../../../agent/policy/glob/group.ts';
import { matchTail } from '../../../../agent/policy/glob/match.ts';
import { patternProblem } from '../../../../agent/policy/glob/problem.ts';
import { isLong } from '../../../scale.ts';
import { propertySeed } from '../seed.ts';
import { bothForms, union } from './forms.ts';
import { anyPath, anyPattern, matching, tailBelow } from './globs.ts';
import { slowMatch } from './slow-match.ts';

const numRuns = isLong ? 30_000 : 1_000;
const pattern = anyPattern.filter((text) => patternProblem(text) === undefined);
const paths = fc.array(anyPath, { minLength: 1, maxLength: 12 });
const seed = propertySeed('globs');

describe('groupGlobs() and matchTail()', () => {
  it('find the patterns that a search by trying everything finds', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 6 }), paths, (patterns, tried) => {
        const groups = groupGlobs(patterns.map((text, id) => ({ pattern: text, id })));
        for (const path of tried) {
          const expected = [...patterns.keys()].filter((id) => slowMatch(patterns[id] as string, path));
          expect({ path: path.toString('latin1'), ids: matching(groups, path) }).toEqual({
            path: path.toString('latin1'),
            ids: expected,
          });
          found += expected.length;
        }
      }),
      { numRuns, seed },
    );
    expect(found).toBeGreaterThan(numRuns / 2); // or the comparison says nothing
  });

  it('find the same in both forms', () => {
    let compared = 0;
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 6 }), paths, (patterns, tried) => {
        const flat = patterns.flatMap(expandGlob).slice(0, 15);
        for (const directory of new Set(['/', ...flat.map(globDirectory)])) {
          const forms = bothForms(flat, directory);
          if (forms === undefined) continue;
          for (const path of tried) {
            const tail = tailBelow(directory, path);
            if (tail === undefined) continue;
            const [table, bits] = [matchTail(forms.table, tail), matchTail(forms.bits, tail)];
            expect(union(table)).toBe(union(bits));
            if (bits.length > 0) compared++;
          }
        }
      }),
      { numRuns, seed },
    );
    expect(compared).toBeGreaterThan(numRuns / 2);
  });

  it('give equal bytes for equal patterns, in whatever order', () => {
    fc.assert(
      fc.property(
        fc
          .array(pattern, { maxLength: 6 })
          .chain((patterns) =>
            fc.tuple(fc.constant(patterns), fc.shuffledSubarray(patterns, { minLength: patterns.length })),
          ),
        ([patterns, shuffled]) => {
          const given = (list: string[]) =>
            groupGlobs(list.map((text) => ({ pattern: text, id: patterns.indexOf(text) })));
          expect(given(shuffled)).toEqual(given(patterns));
        },
      ),
      { numRuns: numRuns / 4, seed },
    );
  });
});
