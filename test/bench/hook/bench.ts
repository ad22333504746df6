import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootGuest } from '../../kernel/guest.ts';
import type { Bench, BenchOptions, BenchResult } from '../bench.ts';
import { baselineFile, baselineKey, baselineOf, readBaseline } from './baseline.ts';
import { figuresOf } from './figures.ts';
import { buildLoop } from './loop.ts';
import type { Report } from './stage.ts';
import { hookTable } from './table.ts';

/** What one open and close cost more than without Picket, counted in the instructions of an emulated processor. */
export const hook: Bench = {
  name: 'hook',
  summary: 'instructions that an open and close costs more: outside, and inside a workload',
  run: measureHook,
};

async function measureHook({ kernel, say }: BenchOptions): Promise<BenchResult> {
  const loop = await buildLoop();
  say(`starting a guest with kernel ${kernel} that counts instructions`);
  await using guest = await bootGuest({ kernel, icount: true });
  // The guest sees this machine's root, but what is in its own /tmp or /run hides ours.
  const program = join(guest.share, 'loop');
  copyFileSync(loop, program);
  say(`measuring on ${guest.release}`);
  const stage = join(import.meta.dirname, 'stage.ts');
  const { status, stdout, stderr } = await guest.run([process.execPath, stage, program], { timeoutMs: 1_200_000 });
  if (status !== 0) throw new Error(`the measurement in the guest ended with status ${status}:\n${stderr}${stdout}`);
  const figures = figuresOf(JSON.parse(String(stdout)) as Report);
  const table = hookTable(figures, guest.release);
  const key = await baselineKey(guest.release);
  const line = readBaseline()[key];
  say('done');
  if (line !== undefined) return { figures, table, baseline: line };
  const wanted = JSON.stringify({ [key]: baselineOf(figures) });
  return { figures, table: `${table}\nNo baseline for ${key}; to keep this one, add to ${baselineFile}:\n${wanted}` };
}
