import { lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const standard = process.getuid?.() === 0 ? '/var/cache/picket' : join(homedir(), '.cache/picket/compiled');

/**
 * Where Node keeps what it made of our TypeScript: a start takes half the time, and 20 MB less memory stay in use. Undefined
 * when there is no folder that we alone may write to: what is in it is run.
 */
export function compileCache(folder = standard): string | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}
