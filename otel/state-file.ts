import { closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StateError, type StateErrorCode } from './errors.ts';

/** What a database file of ours holds. */
export interface FileFormat {
  /** What it is called in errors. */
  noun: 'spool' | 'state';
  /** A file of another number is moved aside like a corrupt one. */
  number: number;
  tables: string;
  /** A query that goes through the pages of the tables: a damaged one fails it. */
  check: string;
}

/**
 * Opens a database file for this process alone, mode 0600; a file that is no sound one of its format is moved aside first.
 *
 * @throws StateError
 */
export function openStateFile(
  path: string,
  format: FileFormat,
): { database: DatabaseSync; setAside: string | undefined } {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = tryOpen(path, format);
    if (database !== undefined) return { database, setAside: undefined };
    const setAside = moveAside(path);
    const fresh = tryOpen(path, format);
    if (fresh === undefined) throw new Error('a new file is no sound database either');
    return { database: fresh, setAside };
  } catch (cause) {
    throw stateError('open', path, cause, format.noun);
  }
}

/** Undefined when the file is no sound one of its format. */
function tryOpen(path: string, { number, tables: schema, check }: FileFormat): DatabaseSync | undefined {
  makePrivate(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // Exclusive, and said before anything else: then a second process is refused, and WAL needs no shared memory.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('BEGIN IMMEDIATE');
    const format = database.prepare('PRAGMA user_version').get()?.user_version;
    const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n;
    if (format === 0 && tables === 0) database.exec(`${schema}; PRAGMA user_version = ${number}`);
    else if (format !== number) throw new CorruptFile();
    database.exec('COMMIT');
    database.prepare(check).get();
    return database;
  } catch (error) {
    database.close();
    if (error instanceof CorruptFile || isCorrupt(error)) return undefined;
    throw error;
  }
}

/**
 * Makes the file, which SQLite would make for all to read. A file that is there is not touched: opening and closing it
 * would drop the locks that this process holds on it.
 */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

class CorruptFile extends Error {}

function moveAside(path: string): string {
  const setAside = `${path}.corrupt-${new Date().toISOString().replaceAll(':', '')}`;
  renameSync(path, setAside);
  // The log belongs to the file: without it a new file would be given the old one's pages.
  for (const part of ['-wal', '-shm']) {
    try {
      renameSync(path + part, setAside + part);
    } catch {
      rmSync(path + part, { force: true });
    }
  }
  return setAside;
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** The lowest byte of SQLite's extended result code. */
function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function isCorrupt(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** The StateError for what went wrong with the file at `path`. */
export function stateError(what: string, path: string, cause: unknown, noun: FileFormat['noun']): StateError {
  if (cause instanceof StateError) return cause;
  const code = resultCode(cause);
  const full = code === SQLITE_FULL || (cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC');
  const kind: StateErrorCode = full ? 'disk-full' : code === SQLITE_BUSY ? `${noun}-in-use` : `${noun}-failed`;
  const advice = full
    ? 'Make room on that file system.'
    : code === SQLITE_BUSY
      ? 'Another process holds it; is the program running already?'
      : 'See the cause.';
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StateError(kind, `Cannot ${what} the ${noun} ${path}: ${reason}. ${advice}`, { cause });
}
