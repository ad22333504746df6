import { describe, expect, it, test } from 'vitest';
import { grown, missed } from './bench.ts';
import { hook } from './hook/bench.ts';
import { figuresOf, rows } from './hook/figures.ts';
import { type Operation, states } from './hook/states.ts';

/** Not within their targets yet. A figure that gets there has to leave this list. */
const aboveTarget = ['exec'];

/** Instructions, not times: the same on any machine, however loaded. */
test('hook costs no more instructions than its baseline, and its targets but for those that are named, measured against the same loop without programs', {
  timeout: 1_500_000,
}, async () => {
  const { figures, table, baseline } = await hook.run({ kernel: '6.1', say: () => {} });
  console.log(table);
  expect(grown(figures, baseline)).toEqual([]);
  expect(figures.map(({ name }) => name)).toEqual(expect.arrayContaining(rows.map(({ figure }) => figure)));
  expect(missed(figures).map(({ name }) => name)).toEqual(aboveTarget);
});

describe('figuresOf()', () => {
  const report = (instructions: (state: string, operation: Operation) => number) => ({
    release: '6.1',
    times: 10,
    applyMs: { exec: 7 },
    loadMs: 1500.4,
    rounds: Object.fromEntries(
      states.map(({ name, operations }) => [
        name,
        Object.fromEntries(
          operations.map((operation) => {
            const nanoseconds = instructions(name, operation) * 10 * 2;
            return [operation, [nanoseconds + 500, nanoseconds, nanoseconds + 20]];
          }),
        ),
      ]),
    ),
  });
  const value = (figures: ReturnType<typeof figuresOf>, name: string) => figures.find((each) => each.name === name);

  it('takes the quickest round, and the quicker of the two runs without programs', () => {
    const figures = figuresOf(
      report((state) => (state === 'before' ? 1100 : state === 'after' ? 1000 : state === 'outside' ? 1200 : 3000)),
    );
    expect(value(figures, 'baseline-open-3')).toEqual({ name: 'baseline-open-3', value: 1000, unit: 'instructions' });
    expect(value(figures, 'outside')).toEqual({ name: 'outside', value: 200, unit: 'instructions', target: 300 });
    expect(value(figures, 'one-rule-9')?.value).toBe(2000);
    expect(value(figures, 'load')).toEqual({ name: 'load', value: 1500, unit: 'ms' });
    expect(value(figures, 'apply-exec')?.value).toBe(7);
  });

  it('holds ratios against the figure that they name', () => {
    const figures = figuresOf(report((state) => (state === 'one-rule' ? 2000 : state === 'globs-50' ? 3100 : 1000)));
    expect(value(figures, 'globs-50-3')).toMatchObject({ value: 2100, target: 2000 });
    expect(missed(figures).map(({ name }) => name)).toEqual(['globs-50-3']);
  });

  it('refuses a report without the rounds of a state', () => {
    const given = report(() => 1000);
    given.rounds.socket = {} as never;
    expect(() => figuresOf(given)).toThrow('no rounds for socket in the state socket');
  });
});

describe('grown()', () => {
  it('lets a figure grow by two in a hundred over its baseline', () => {
    const figures = [102, 103, 300].map((value, i) => ({
      name: 'abc'.charAt(i),
      value,
      unit: 'instructions' as const,
    }));
    expect(grown(figures, { a: 100, b: 100 }).map(({ name }) => name)).toEqual(['b']);
    expect(grown(figures)).toEqual([]);
  });
});
