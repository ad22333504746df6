import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { PROGRAMS } from '../conformance/product.ts';
import { cacheDirectory } from '../kernel/cache.ts';
import { bootGuest } from '../kernel/guest.ts';
import { isLong } from '../scale.ts';
import { buildAgent } from './build.ts';
import { compileHammer, type HammerReport, type HammerScale, hammer } from './hammer.ts';

/** In the guest with BPF LSM, where the proof is; on this machine's own kernel a try is a process. */
const scale: Record<'guest' | 'host', HammerScale> = isLong
  ? {
      guest: { tries: 1_000_000, updates: 1000, restarts: 50, kills: 20 },
      host: { tries: 100_000, updates: 1000, restarts: 50, kills: 20 },
    }
  : {
      guest: { tries: 2000, updates: 20, restarts: 2, kills: 2 },
      host: { tries: 1000, updates: 20, restarts: 2, kills: 2 },
    };
const kernels = isLong ? (['6.1', '6.12'] as const) : (['6.1'] as const);
const limitMs = isLong ? 3 * 3_600_000 : 1_200_000;

let folder: string;
let builds: { sameAbi: string; nextAbi: string };
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-atomic-')));
  const build = (kind: 'same-abi' | 'next-abi') => buildAgent(join(folder, kind), kind);
  builds = { sameAbi: build('same-abi'), nextAbi: build('next-abi') };
  await compileHammer();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(report: HammerReport, wanted: HammerScale, upgrades: number[]): void {
  console.log(`${report.backend}: ${JSON.stringify(report)}`);
  const { tries, updates, ...rest } = report;
  expect(rest).toMatchObject({ worked: 0, refused: 0, unnamed: 0, left: [] });
  expect(report.upgrades).toEqual(upgrades.map((number) => [`v${number}`]));
  expect(tries).toBeGreaterThanOrEqual(wanted.tries);
  expect(updates).toBeGreaterThanOrEqual(wanted.updates);
}

describe.skipIf(missingForHost)(named('on this kernel, tracepoint backend', missingForHost), () => {
  test('nothing forbidden runs and nothing allowed is killed through updates, restarts, kills and upgrades', {
    timeout: limitMs,
  }, async () => {
    await using stack = new AsyncDisposableStack();
    const here = join(folder, 'host');
    mkdirSync(join(here, 'bpf'), { recursive: true });
    execFileSync('mount', ['-t', 'bpf', 'bpf', join(here, 'bpf')]);
    stack.defer(() => void execFileSync('umount', [join(here, 'bpf')]));
    const report = await hammer({
      ...{ folder: here, pins: join(here, 'bpf/picket'), backend: 'tracepoint', scale: scale.host },
      others: [builds.sameAbi, builds.nextAbi],
      say: (text) => console.log(text),
    });
    check(report, scale.host, [abi.ABI, abi.ABI + 1, abi.ABI]);
  });
});

describe.each(kernels)('with BPF LSM on kernel %s', (kernel) => {
  test('nothing forbidden is opened or run and nothing allowed is refused', { timeout: limitMs }, async () => {
    const script = join(import.meta.dirname, 'hammer-guest.ts');
    // Each start of an agent that is not on the guest's disk takes a minute there.
    const others = isLong ? [builds.sameAbi, builds.nextAbi] : [builds.nextAbi];
    await using guest = await bootGuest({ kernel, programs: [script, ...PROGRAMS] });
    const { status, stdout, stderr } = await guest.run(
      [process.execPath, script, JSON.stringify({ scale: scale.guest, others })],
      {
        env: { PICKET_CACHE: cacheDirectory() },
        timeoutMs: limitMs,
      },
    );
    expect(status, stderr.toString()).toBe(0);
    check(JSON.parse(stdout.toString()) as HammerReport, scale.guest, [
      ...(isLong ? [abi.ABI] : []),
      ...[abi.ABI + 1, abi.ABI],
    ]);
  });
});
