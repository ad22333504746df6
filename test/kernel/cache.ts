import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const MANIFEST = 'manifest.json';

/** Where downloads and built images are kept between runs: `$PICKET_CACHE`, else `~/.cache/picket`. */
export function cacheDirectory(): string {
  const directory = process.env.PICKET_CACHE || join(homedir(), '.cache', 'picket');
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * Returns the folder `name` of the cache, filled by `fill` when it is missing or its content is not what was put there.
 *
 * Every regular file is listed in a manifest with its SHA-256 and compared at each use. Safe when several processes race:
 * each fills a folder of its own, the first to rename wins, the others use the winner's.
 */
export async function cached(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const entry = join(cacheDirectory(), name);
  await mkdir(dirname(entry), { recursive: true });
  if (await isIntact(entry)) return entry;

  const fresh = await mkdtemp(`${entry}.new-`);
  try {
    await fill(fresh);
    const manifest = JSON.stringify(fingerprint(fresh));
    await writeFile(join(fresh, MANIFEST), manifest, { flag: 'wx' });
    await replace(entry, fresh);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  if (!(await isIntact(entry))) throw new Error(`${entry} changed while it was being used; remove it and try again`);
  return entry;
}

async function replace(entry: string, fresh: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await rename(fresh, entry);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
    if (await isIntact(entry)) return;
    const broken = `${fresh}.broken`;
    await rename(entry, broken).catch(() => {});
    await rm(broken, { recursive: true, force: true });
  }
}

async function isIntact(entry: string): Promise<boolean> {
  const text = await readFile(join(entry, MANIFEST), 'utf8').catch(() => undefined);
  return text !== undefined && text === JSON.stringify(fingerprint(entry));
}

/** SHA-256 of each regular file below `directory`, by relative path, in the order of the names. Links are not followed. */
function fingerprint(directory: string): Record<string, string> {
  const sums: Record<string, string> = {};
  const walk = (folder: string): void => {
    const entries = readdirSync(join(directory, folder), { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && path !== MANIFEST) sums[path] = sha256(join(directory, path));
    }
  };
  walk('');
  return sums;
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
