import { expect, test } from 'vitest';
import { missingForHost } from '../agent/host.ts';
import { isLong } from '../scale.ts';
import { missed } from './bench.ts';
import { measureUpdate, sizes } from './update/bench.ts';

const size = isLong ? sizes : { rules: 500, workloads: 100, sets: 5, policies: 20, updates: 20 };

/** Times depend on the machine: they are printed. */
test.skipIf(missingForHost)(
  'a policy more costs the kernel at most 64 kB, and times of changes are told',
  {
    timeout: 600_000,
  },
  async () => {
    const { figures, table } = await measureUpdate({ kernel: '6.12', say: () => {} }, size);
    console.log(table);
    const memory = figures.filter(({ unit }) => unit === 'bytes');
    expect(memory.map(({ name }) => name)).toEqual(['memory-per-policy', 'memory-per-policy-alone']);
    for (const { value } of memory) expect(value).toBeGreaterThan(0);
    expect(missed(memory)).toEqual([]);
    expect(figures.filter(({ unit }) => unit === 'ms').map(({ name }) => name)).toEqual([
      ...['load-ten-thousand-rules', 'load-ten-thousand-workloads', 'update-p50', 'update-p99'],
      ...['update-one-workload-p50', 'update-one-workload-p99'],
    ]);
  },
);
