import { expect, test } from 'vitest';
import { missed } from './bench.ts';
import { hook } from './hook/bench.ts';

/** Instructions, not times: the same on any machine, however loaded. */
test('hook costs no more instructions than its targets, measured against the same loop without programs', {
  timeout: 300_000,
}, async () => {
  const { figures, table } = await hook.run({ kernel: '6.1', say: () => {} });
  console.log(table);
  expect(figures.map(({ name }) => name)).toEqual(expect.arrayContaining(['outside', 'one-rule-3', 'baseline-3']));
  expect(missed(figures)).toEqual([]);
});
