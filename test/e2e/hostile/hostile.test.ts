import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAMS } from '../../conformance/product.ts';
import { PROGRAM_NAMES, program } from '../../conformance/program.ts';
import { buildImageDisk } from '../../image/build.ts';
import { compiled } from '../../image/compile.ts';
import { cacheDirectory } from '../../kernel/cache.ts';
import { bootGuest } from '../../kernel/guest.ts';
import type { KernelSeries } from '../../kernel/image.ts';
import { isLong } from '../../scale.ts';
import type { Report } from './scenario.ts';

/** How long the workload does its worst. */
const seconds = isLong ? 60 : 10;
const kernels: readonly KernelSeries[] = isLong ? ['6.1', '6.12'] : ['6.12'];
const ways = ['exec-storm', 'link-race', 'rename-storm', 'mount-tree', 'own-cgroups'];
const maxAgentBytes = 200 * 2 ** 20;

describe.each(kernels)('a hostile workload under kernel %s', (kernel) => {
  it('gets nowhere, costs the agent bounded memory, and what is lost is counted', { timeout: 900_000 }, async () => {
    const report = await attackIn(kernel);
    const mebibytes = Math.round(report.agentBytes / 2 ** 20);
    const { emitted, delivered, queued, dropped } = report.ledger;
    const { denied = 0, ring_deny_lost: lost = 0 } = report.counters;
    console.log(
      `${seconds} s on ${report.release}: ${JSON.stringify(report.ways)}; agent ${mebibytes} MiB (${JSON.stringify(report.agentParts)}); ${denied} denied, ` +
        `${lost} events lost in the ring, ${emitted} alerts emitted, ${delivered} delivered; load ${report.load}`,
    );
    expect(Object.keys(report.ways)).toEqual(ways);
    for (const [way, { tries, breaches }] of Object.entries(report.ways)) {
      expect(tries, way).toBeGreaterThan(0);
      expect(breaches, way).toBe(0);
    }
    expect(report.agentBytes).toBeLessThan(maxAgentBytes);
    expect(emitted).toBe(delivered + queued + dropped.refused + dropped.spool);
    // Every refusal is an alert or a counted loss.
    expect(emitted + lost).toBeGreaterThanOrEqual(denied);
  });
});

async function attackIn(kernel: KernelSeries): Promise<Report> {
  const disk = await buildImageDisk();
  for (const name of PROGRAM_NAMES) await program(name);
  const attack = await compiled(join(import.meta.dirname, 'attack.c'));
  const scenario = join(import.meta.dirname, 'scenario.ts');
  await using guest = await bootGuest({ kernel, disks: [disk], programs: [scenario, ...PROGRAMS] });
  const { status, stdout, stderr } = await guest.run(
    'mkdir /run/image && mount -t ext4 -o ro /dev/vda /run/image && exec "$@"',
    {
      arguments: [process.execPath, scenario, '/run/image', attack, String(seconds)],
      env: { PICKET_CACHE: cacheDirectory() },
      timeoutMs: (seconds + 600) * 1000,
    },
  );
  expect(status, stderr.toString()).toBe(0);
  return JSON.parse(stdout.toString()) as Report;
}
