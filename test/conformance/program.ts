import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../image/compile.ts';
import { cached } from '../kernel/cache.ts';

/** C programs of this folder that cases are run with. */
export const PROGRAM_NAMES = ['shim', 'enter', 'services'] as const;

/** The compiled program `name` of this folder, made once per cache and content of the folder's C files. */
export async function program(name: (typeof PROGRAM_NAMES)[number]): Promise<string> {
  const hash = createHash('sha256');
  const sources = readdirSync(import.meta.dirname).filter((file) => /\.[ch]$/.test(file));
  for (const file of sources.sort()) hash.update(readFileSync(join(import.meta.dirname, file)));
  const entry = await cached(`programs-${hash.digest('hex').slice(0, 16)}-${name}`, (folder) =>
    compile(join(import.meta.dirname, `${name}.c`), join(folder, name)),
  );
  return join(entry, name);
}
