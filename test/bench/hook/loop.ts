import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from '../../kernel/cache.ts';
import { runCommand } from '../../kernel/command.ts';

const source = join(import.meta.dirname, 'loop.c');

/** Builds loop.c as a static program, once per content of its source; returns its path. */
export async function buildLoop(): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(source))
    .digest('hex');
  const folder = await cached(`bench-loop-${digest.slice(0, 16)}`, async (fresh) => {
    await runCommand('clang', ['-O2', '-Wall', '-Wextra', '-Werror', '-static', '-o', join(fresh, 'loop'), source]);
  });
  return join(folder, 'loop');
}
