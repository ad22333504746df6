import { copyFileSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildImageDisk } from '../image/build.ts';
import { cacheDirectory } from '../kernel/cache.ts';
import { forward } from '../kernel/forward.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { KernelSeries } from '../kernel/image.ts';
import { PROGRAMS } from './product.ts';
import { PROGRAM_NAMES, program } from './program.ts';

export interface GuestRun {
  kernel: KernelSeries;
  folder: string;
  only: string | undefined;
  junit: string | undefined;
  sessions: string | undefined;
  /** Cases have 30 s per command, and one guest runs all of them. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Boots a guest and runs this very runner inside; what it prints is passed on. Returns its exit status. */
export async function runInGuest({
  kernel,
  folder,
  only,
  junit,
  sessions,
  timeoutMs,
  signal,
}: GuestRun): Promise<number> {
  const disk = await buildImageDisk();
  // Compiled out here, where it takes no time, and found in the cache in there.
  for (const name of PROGRAM_NAMES) await program(name);
  const runner = join(import.meta.dirname, 'run.ts');
  await using guest = await bootGuest({ kernel, disks: [disk], programs: [runner, ...PROGRAMS] });
  process.stderr.write(`guest: kernel ${guest.release}\n`);
  const results = join(guest.share, 'junit.xml');
  const words = [process.execPath, runner, resolve(folder)];
  words.push('--kernel', 'host', '--image', '/run/image', '--junit', results, ...(only ? ['--only', only] : []));
  if (sessions) words.push('--sessions', sessions);
  const job = guest.start('mkdir /run/image && mount -t ext4 -o ro /dev/vda /run/image && exec "$@"', {
    arguments: words,
    env: { PICKET_CACHE: cacheDirectory() },
    timeoutMs,
  });
  const aborted = Promise.withResolvers<never>();
  signal.onabort = () => aborted.reject(signal.reason);
  if (signal.aborted) aborted.reject(signal.reason);
  const { status } = await Promise.race([forward(job), aborted.promise]);
  if (junit && existsSync(results)) copyFileSync(results, junit);
  return status;
}
