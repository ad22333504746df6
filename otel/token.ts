import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { StateError } from './errors.ts';

const TOKEN = /^[0-9a-f]{64}$/;

/**
 * The bearer token in the file `path`: 32 random bytes as 64 hex digits. Made at first use, mode 0600, in a folder of
 * mode 0700. Two processes that come at the same time get the same token: it is written aside (O_EXCL) and linked into
 * place whole, so that nobody reads half of it.
 * @throws StateError `token-file`
 */
export function readOrCreateToken(path: string): string {
  try {
    return read(path) ?? create(path);
  } catch (cause) {
    if (cause instanceof StateError) throw cause;
    throw new StateError('token-file', `The token file ${path} can be neither read nor made: ${String(cause)}`, {
      cause,
    });
  }
}

function read(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (TOKEN.test(text)) return text;
  throw new StateError('token-file', `The file ${path} holds no token (64 hex digits). Remove it to have one made.`);
}

function create(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const token = randomBytes(32).toString('hex');
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(aside, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(aside, path);
    return token;
  } catch (error) {
    const other = codeOf(error) === 'EEXIST' ? read(path) : undefined;
    if (other === undefined) throw error;
    return other;
  } finally {
    unlinkSync(aside);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
