import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../kernel/command.ts';
import type { Figure } from '../bench.ts';
import { rows } from './figures.ts';

/** Committed figures, by what they depend on besides our own code: kernel package, QEMU, clang. */
export const baselineFile = join(import.meta.dirname, 'baseline.json');

export type Baseline = Readonly<Record<string, Readonly<Record<string, number>>>>;

export function readBaseline(file = baselineFile): Baseline {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : {};
}

/** The key of this machine's figures: `6.1.0-56-cloud-amd64 qemu-7.2.22 clang-14.0.6`. */
export async function baselineKey(release: string): Promise<string> {
  const version = async (program: string): Promise<string> => {
    const found = /version (\d[\d.]*)/.exec(await runCommand(program, ['--version']))?.[1];
    return found ?? 'unknown';
  };
  return `${release} qemu-${await version('qemu-system-x86_64')} clang-${await version('clang-14')}`;
}

/** The instructions of a run, as the baseline keeps them. */
export function baselineOf(figures: readonly Figure[]): Record<string, number> {
  const kept = new Set(rows.map(({ figure }) => figure));
  return Object.fromEntries(figures.filter(({ name }) => kept.has(name)).map(({ name, value }) => [name, value]));
}
