import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROGRAMS } from '../conformance/product.ts';
import { PROGRAM_NAMES, program } from '../conformance/program.ts';
import { buildImageDisk } from '../image/build.ts';
import { cacheDirectory } from '../kernel/cache.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { FirstProgram } from './first-instruction.ts';

describe('a runc container whose workload is known in advance', () => {
  let reports: FirstProgram[];
  beforeAll(async () => {
    const disk = await buildImageDisk();
    for (const name of PROGRAM_NAMES) await program(name);
    const script = join(import.meta.dirname, 'first-instruction.ts');
    await using guest = await bootGuest({ kernel: '6.1', disks: [disk], programs: [script, ...PROGRAMS] });
    const { status, stdout, stderr } = await guest.run(
      'mkdir /run/image && mount -t ext4 -o ro /dev/vda /run/image && exec "$@"',
      {
        arguments: [process.execPath, script, '/run/image'],
        env: { PICKET_CACHE: cacheDirectory() },
        timeoutMs: 500_000,
      },
    );
    expect(status, stderr.toString()).toBe(0);
    reports = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as FirstProgram);
  }, 600_000);

  const of = (known: string, policy: string) =>
    reports.find((report) => report.known === known && report.policy === policy);

  test.each(['made', 'named'])('does not run its first program when that is forbidden (cgroup %s before)', (known) => {
    const report = of(known, 'block');
    expect(report?.output).toMatch(/permission denied/i);
    expect(report).toMatchObject({
      ran: false,
      alerts: [{ PolicyName: 'block', Resource: '/usr/bin/touch /mark', Result: 'Permission denied' }],
    });
    expect(report?.status).not.toBe(0);
  });

  test.each(['made', 'named'])('is set up by its runtime without being judged (cgroup %s before)', (known) => {
    expect(of(known, 'allow-list')).toMatchObject({ status: 0, output: '', ran: true, alerts: [] });
  });
});
