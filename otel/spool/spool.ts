import { openStateFile } from '../state-file.ts';
import { spoolFormat } from './database.ts';
import { SqliteSpool } from './sqlite-spool.ts';

/** What a full disk may cost first and last: telemetry goes before audit, block last. */
export type SpoolClass = 'block' | 'audit' | 'telemetry';

/** Export requests of OTLP that travel together. `records`: how many alerts (or other records) are in them. */
export interface Batch {
  logs?: Uint8Array;
  traces?: Uint8Array;
  records: number;
}

export interface Entry extends Batch {
  /** Rises with every entry and is never used again, not even after a restart. */
  position: number;
  class: SpoolClass;
}

export interface SpoolStats {
  /** What waits: entries, their bytes and records, and the first of them. */
  entries: number;
  bytes: number;
  records: number;
  oldest: number | undefined;
  oldestAgeMs: number;
  /** Entries since the spool was opened. */
  appended: number;
  acknowledged: number;
  /** Transactions made durable since the spool was opened: several appends share one. */
  commits: number;
  /** Files that were found corrupt at opening and moved aside: 0 or 1. */
  setAside: number;
}

/** A durable queue: what was appended is read until it is acknowledged, over any number of ends and kills. */
export interface Spool extends Disposable {
  /** Where the corrupt file went that was found at opening, if one was. */
  readonly setAside: string | undefined;
  /** Resolves with the position once the batch is on the disk. @throws StateError */
  append(batch: Batch, cls: SpoolClass): Promise<number>;
  /** Up to `limit` entries on the disk that are not acknowledged, from `from` on, in order. @throws StateError */
  read(from: number, limit?: number): Entry[];
  /** Takes that one entry out. After a crash within the next moments it may come once more. @throws StateError */
  ack(position: number): void;
  stats(): SpoolStats;
}

/**
 * Opens the spool in the file `path`, making it and its folder (0700) if needed. One process holds it at a time. A file
 * that is no sound spool never refuses the start: it is moved aside, see `setAside`.
 * @throws StateError `spool-in-use`, `spool-failed`, `disk-full`
 */
export function openSpool(path: string): Spool {
  const { database, setAside } = openStateFile(path, spoolFormat);
  return new SqliteSpool(path, database, setAside);
}
