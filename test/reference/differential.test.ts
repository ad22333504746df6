import { expect, test } from 'vitest';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { propertySeed } from '../agent/policy/seed.ts';
import { isLong } from '../scale.ts';
import { runDifferential } from './differential.ts';
import { allFeatures, type Features, prevented } from './features.ts';

/** Decisions compared. A guest is emulated, and a decision takes thirty times as long there. */
const decisions = isLong ? { guest: 100_000, host: 100_000 } : { guest: 2_500, host: 10_000 };
/** In a round of 100 operations are at least as many decisions. */
const operations = 100;

async function compare(kernel: '6.1' | 'host', count: number, features: Features, backend: string): Promise<void> {
  const seed = propertySeed(`differential, ${kernel}`);
  const rounds = Math.ceil(count / operations);
  const report = await runDifferential({ kernel, seed, rounds, operations, features, say: console.log });
  const tally = [...report.tally].sort().map(([what, times]) => `${times} ${what}`);
  console.log(
    `${report.release}, ${report.backend}: ${report.decisions} decisions, ${report.alerts} alerts: ${tally.join(', ')}`,
  );
  expect(report.failures).toEqual([]);
  expect(report.backend).toBe(backend);
  expect(report.decisions).toBeGreaterThanOrEqual(count);
  for (const what of [
    'file deny rule',
    'file deny posture',
    'file alert rule',
    'process deny rule',
    'process alert posture',
  ])
    expect(report.tally.get(what) ?? 0, what).toBeGreaterThan(0);
}

test(`the 6.1 kernel decides as the page says, ${decisions.guest} times`, { timeout: 6 * 3_600_000 }, () =>
  compare('6.1', decisions.guest, allFeatures, 'lsm'),
);

test.skipIf(missingForHost)(
  named(`this kernel decides as the page says, ${decisions.host} times`, missingForHost),
  { timeout: 6 * 3_600_000 },
  () => compare('host', decisions.host, prevented, 'tracepoint'),
);
