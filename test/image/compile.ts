import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../kernel/cache.ts';
import { runCommand } from '../kernel/command.ts';

/** Compiles one C file to a static program, so that it runs in any root file system. Needs Debian's clang and libc6-dev. */
export async function compile(source: string, output: string): Promise<void> {
  await runCommand('clang', ['-O2', '-static', '-Wall', '-Werror', '-o', output, source]);
}

/** The compiled program of `source`, made once per cache and content; `included`: what it includes of the checkout. */
export async function compiled(source: string, ...included: string[]): Promise<string> {
  const hash = createHash('sha256')
    .update(Buffer.concat([source, ...included].map((file) => readFileSync(file))))
    .digest('hex')
    .slice(0, 16);
  return join(await cached(`program-${hash}`, (folder) => compile(source, join(folder, 'program'))), 'program');
}
