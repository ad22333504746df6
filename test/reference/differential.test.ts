import { expect, test } from 'vitest';
import { propertySeed } from '../agent/policy/seed.ts';
import { isLong } from '../scale.ts';
import { runDifferential } from './differential.ts';
import { enforced } from './features.ts';

/** Operations in a round are 100; a round is about 130 decisions. */
const size = isLong ? { decisions: 100_000, rounds: 800 } : { decisions: 10_000, rounds: 80 };

test(`the kernel decides as the page says, ${size.decisions} times`, { timeout: 4 * 3_600_000 }, async () => {
  const seed = propertySeed('differential');
  const { release, backend, decisions, tally, failures } = await runDifferential({
    ...{ kernel: '6.1', seed, rounds: size.rounds, operations: 100, features: enforced },
    say: (line) => console.log(line),
  });
  console.log(`${release}, ${backend}: ${decisions} decisions`);
  console.log(
    [...tally]
      .sort()
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
  );
  expect(failures).toEqual([]);
  expect(backend).toBe('lsm');
  expect(decisions).toBeGreaterThanOrEqual(size.decisions);
});
