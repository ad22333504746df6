import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeBits } from '../../../../agent/policy/glob/bits.ts';
import { Budget } from '../../../../agent/policy/glob/bounds.ts';
import { expandGlob } from '../../../../agent/policy/glob/brace.ts';
import { chainOf, tailOf } from '../../../../agent/policy/glob/chain.ts';
import { globDirectory } from '../../../../agent/policy/glob/directory.ts';
import { groupGlobs } from '../../../../agent/policy/glob/group.ts';
import { matchTail } from '../../../../agent/policy/glob/match.ts';
import { encodePart } from '../../../../agent/policy/glob/part.ts';
import { patternProblem } from '../../../../agent/policy/glob/problem.ts';
import { makeTable } from '../../../../agent/policy/glob/table.ts';
import { tokensOf } from '../../../../agent/policy/glob/token.ts';
import { pathBytes } from '../../../../agent/policy/pathname.ts';
import { isLong } from '../../../scale.ts';
import { propertySeed } from '../seed.ts';
import { anyPath, anyPattern, matching, tailBelow } from './globs.ts';
import { slowMatch } from './slow-match.ts';

const numRuns = isLong ? 30_000 : 2_000;
const pattern = anyPattern.filter((text) => patternProblem(text) === undefined);
const paths = fc.array(anyPath, { minLength: 1, maxLength: 12 });
const seed = propertySeed('globs');

/** Which of the patterns both forms find for a path, by their tails below one directory. */
function bothForms(patterns: readonly string[], directory: string): { table: Buffer; bits: Buffer } | undefined {
  const prefix = pathBytes(directory === '/' ? '/' : `${directory}/`);
  const tails = patterns.flatMap((text) => {
    const tail = tailOf(chainOf(tokensOf(text)), prefix);
    return tail === undefined ? [] : [tail];
  });
  const labels = tails.map((_, label) => label);
  const [table, bits] = [makeTable(tails, labels, new Budget()), makeBits(tails, labels)];
  if (tails.length === 0 || table === undefined || bits === undefined) return undefined;
  const accepts = (made: { accepts: number[][] }) => made.accepts.map((own) => own.map((label) => label));
  return {
    table: encodePart({ ...table.content, accept: relabel(table.content.accept, accepts(table)) }, false),
    bits: encodePart({ ...bits.content, accept: relabel(bits.content.accept, accepts(bits)) }, false),
  };
}

/** Accept ids of one number for each set of labels, so that both forms can be compared: the set's bits. */
function relabel(ids: Uint16Array, accepts: readonly number[][]): Uint16Array {
  return ids.map((id) => (accepts[id - 1] ?? []).reduce((mask, label) => mask | (1 << label), 0));
}

const union = (ids: readonly number[]): number => ids.reduce((mask, id) => mask | id, 0);

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
