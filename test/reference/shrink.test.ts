import { expect, it } from 'vitest';
import { allFeatures } from './features.ts';
import { randomRound } from './round.ts';
import { shrink } from './shrink.ts';

it('shrink() keeps what it takes to fail, and nothing else', async () => {
  const round = randomRound(7, 60, allFeatures);
  const operation = round.operations[40];
  const policy = round.policies.findIndex(({ spec }) => (spec.file?.matchPaths?.length ?? 0) > 1);
  const rule = round.policies[policy]?.spec.file?.matchPaths?.[1];
  const entry = round.addition.entries[3];
  expect([operation, rule, entry].every((part) => part !== undefined)).toBe(true);
  const small = await shrink(
    round,
    async ({ operations, policies, addition }) =>
      operations.includes(operation as never) &&
      policies.some(({ spec }) => spec.file?.matchPaths?.includes(rule as never)) &&
      addition.entries.includes(entry as never),
    1000,
  );
  expect(small.operations).toEqual([operation]);
  expect(small.policies).toHaveLength(1);
  const [{ spec }] = small.policies as [(typeof small.policies)[number]];
  expect(spec.file?.matchPaths).toEqual([rule]);
  expect([spec.file?.matchDirectories, spec.file?.matchPatterns, spec.process, spec.network]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(small.addition.entries).toEqual([entry]);
});
