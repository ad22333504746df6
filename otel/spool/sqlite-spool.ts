import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StateError } from '../errors.ts';
import { stateError } from '../state-file.ts';
import type { Batch, Entry, Spool, SpoolClass, SpoolStats } from './spool.ts';

/** How long acknowledgements wait for an append to share its commit. */
const ACK_COMMIT_MS = 50;

/** The bytes of an entry, from the sizes that SQLite keeps beside the content. */
const BYTES = '(ifnull(length(logs), 0) + ifnull(length(traces), 0))';

/** An append that waits for its commit. */
interface Waiting {
  position: number;
  resolve(position: number): void;
  reject(error: StateError): void;
}

/**
 * All work of one turn of the event loop happens in one transaction: appends are inserted at once, and one commit, with
 * one fsync, makes them durable together when the turn is over. SQLite in WAL mode with synchronous=FULL.
 */
export class SqliteSpool implements Spool {
  readonly setAside: string | undefined;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: { insert: StatementSync; read: StatementSync; size: StatementSync; remove: StatementSync };
  #waiting: Waiting[] = [];
  /** The last position that is known to be on the disk; what is newer is not read yet. */
  #durable = Number.MAX_SAFE_INTEGER;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #held = { entries: 0, bytes: 0, records: 0 };
  #count = { appended: 0, acknowledged: 0, commits: 0 };

  constructor(path: string, database: DatabaseSync, setAside: string | undefined) {
    this.#path = path;
    this.#database = database;
    this.setAside = setAside;
    this.#statements = {
      insert: database.prepare('INSERT INTO entry (class, records, at, logs, traces) VALUES (?, ?, ?, ?, ?)'),
      read: database.prepare('SELECT * FROM entry WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?'),
      size: database.prepare(`SELECT records, ${BYTES} AS bytes FROM entry WHERE position = ?`),
      remove: database.prepare('DELETE FROM entry WHERE position = ?'),
    };
    this.#recount();
  }

  append(batch: Batch, cls: SpoolClass): Promise<number> {
    return new Promise((resolve, reject) => {
      const { insert } = this.#statements;
      try {
        this.#begin();
        const { logs, traces, records } = batch;
        const position = Number(insert.run(cls, records, Date.now(), logs ?? null, traces ?? null).lastInsertRowid);
        if (this.#waiting.length === 0) this.#durable = position - 1;
        this.#waiting.push({ position, resolve, reject });
        this.#hold(1, records, (logs?.length ?? 0) + (traces?.length ?? 0));
        this.#immediate ??= setImmediate(() => this.#commit());
      } catch (error) {
        reject(this.#failed('append to', error));
      }
    });
  }

  read(from: number, limit = 100): Entry[] {
    try {
      this.#open();
      return (this.#statements.read.all(from, this.#durable, limit) as unknown as Row[]).map(entry);
    } catch (error) {
      throw this.#failed('read', error);
    }
  }

  ack(position: number): void {
    try {
      this.#open();
      const row = this.#statements.size.get(position) as { records: number; bytes: number } | undefined;
      if (row === undefined || position > this.#durable) return;
      this.#begin();
      this.#statements.remove.run(position);
      this.#hold(-1, -row.records, -row.bytes);
      this.#count.acknowledged++;
      if (this.#immediate === undefined) this.#timer ??= setTimeout(() => this.#commit(), ACK_COMMIT_MS).unref();
    } catch (error) {
      throw this.#failed('acknowledge in', error);
    }
  }

  stats(): SpoolStats {
    this.#open();
    const oldest = this.#database.prepare('SELECT position, at FROM entry ORDER BY position LIMIT 1').get();
    return {
      ...this.#held,
      oldest: oldest === undefined ? undefined : Number(oldest.position),
      oldestAgeMs: oldest === undefined ? 0 : Math.max(0, Date.now() - Number(oldest.at)),
      ...this.#count,
      setAside: this.setAside === undefined ? 0 : 1,
    };
  }

  [Symbol.dispose](): void {
    if (!this.#database.isOpen) return;
    this.#commit();
    this.#database.close();
  }

  #open(): void {
    if (!this.#database.isOpen) throw new StateError('spool-closed', `The spool ${this.#path} is closed.`);
  }

  #begin(): void {
    this.#open();
    if (!this.#database.isTransaction) this.#database.exec('BEGIN IMMEDIATE');
  }

  #commit(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    this.#immediate = undefined;
    this.#timer = undefined;
    if (!this.#database.isTransaction) return;
    try {
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#failed('commit to', error, true);
      return;
    }
    this.#count.commits++;
    this.#count.appended += this.#waiting.length;
    for (const { position, resolve } of this.#settled()) resolve(position);
  }

  #settled(): Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#durable = Number.MAX_SAFE_INTEGER;
    return waiting;
  }

  /** Gives the error its code. When the transaction is lost with it, so are the appends that wait for its commit. */
  #failed(what: string, cause: unknown, lost = false): StateError {
    const error = stateError(what, this.#path, cause, 'spool');
    if (!this.#database.isOpen) return error;
    if (lost && this.#database.isTransaction) this.#database.exec('ROLLBACK');
    if (!this.#database.isTransaction && (lost || this.#waiting.length > 0)) {
      for (const { reject } of this.#settled()) reject(error);
      this.#recount();
    }
    return error;
  }

  #hold(entries: number, records: number, bytes: number): void {
    this.#held.entries += entries;
    this.#held.records += records;
    this.#held.bytes += bytes;
  }

  #recount(): void {
    const row = this.#database
      .prepare(`SELECT count(*) AS entries, total(records) AS records, total(${BYTES}) AS bytes FROM entry`)
      .get() as Record<'entries' | 'records' | 'bytes', number>;
    this.#held = { entries: row.entries, bytes: row.bytes, records: row.records };
  }
}

interface Row {
  position: number;
  class: SpoolClass;
  records: number;
  logs: Uint8Array | null;
  traces: Uint8Array | null;
}

function entry(row: Row): Entry {
  return {
    position: row.position,
    class: row.class,
    records: row.records,
    ...(row.logs === null ? {} : { logs: row.logs }),
    ...(row.traces === null ? {} : { traces: row.traces }),
  };
}
