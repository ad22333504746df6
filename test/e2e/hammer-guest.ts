import { mkdirSync } from 'node:fs';
import { type HammerOptions, hammer } from './hammer.ts';

/** Runs in a guest, with BPF LSM. Argument: scale and agents of other builds, as JSON. Prints the report as JSON. */
const [, , text = ''] = process.argv;
if (!text.startsWith('{')) {
  process.stdout.write('usage: hammer-guest.ts OPTIONS\n');
  process.exit(text === '--help' ? 0 : 2);
}
const folder = '/run/picket-hammer';
mkdirSync(folder);
const report = await hammer({
  ...(JSON.parse(text) as Pick<HammerOptions, 'scale' | 'others'>),
  ...{ folder, pins: '/sys/fs/bpf/picket', backend: 'lsm' },
  say: (line) => process.stderr.write(`${Math.round(performance.now() / 1000)} s: ${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
