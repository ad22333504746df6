import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Alert, encodeAlertJson } from '../../../otel/alert.ts';

export interface StoreLimits {
  readonly maxBytes: number;
  readonly maxAgeDays: number;
}

/** 'Pick', so that another SQLite file is told apart. */
export const APPLICATION_ID = 0x5069636b;
export const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of arrival
    alert_id TEXT NOT NULL UNIQUE,
    time_us INTEGER NOT NULL,              -- event time, Unix microseconds
    namespace TEXT, pod TEXT, policy TEXT, action TEXT,
    json TEXT NOT NULL
  );
  CREATE INDEX alerts_time ON alerts (time_us);
  CREATE INDEX alerts_namespace ON alerts (namespace, pod);
  CREATE INDEX alerts_policy ON alerts (policy);
  CREATE INDEX alerts_action ON alerts (action);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * The writing side of the alert store: one SQLite file in WAL mode, so that readers go on while it writes. Bounded in
 * bytes and age; the oldest alerts go first.
 */
export class AlertDatabase implements Disposable {
  readonly #db: DatabaseSync;
  readonly #limits: StoreLimits;
  readonly #insert: StatementSync;

  /** Makes the file when there is none. Throws when it cannot be opened or is something else. */
  constructor(path: string, limits: StoreLimits) {
    this.#limits = limits;
    this.#db = new DatabaseSync(path);
    try {
      // FULL: what is acknowledged here leaves the spool, and must outlive a power failure as it did there.
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216');
      if (this.#number('PRAGMA application_id') === 0 && this.#number('SELECT count(*) FROM sqlite_schema') === 0)
        this.#db.exec(`BEGIN; ${SCHEMA} COMMIT`);
      if (this.#number('PRAGMA application_id') !== APPLICATION_ID) throw new Error(`${path} is no alert store`);
      const version = this.#number('PRAGMA user_version');
      if (version !== SCHEMA_VERSION)
        throw new Error(`${path} has layout ${version}, this version of Picket knows ${SCHEMA_VERSION}`);
      this.#insert = this.#db.prepare(
        'INSERT INTO alerts (alert_id, time_us, namespace, pod, policy, action, json) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING',
      );
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Stores alerts in one transaction; those that are there already are passed over. Returns how many were new. */
  insert(alerts: readonly Alert[]): number {
    let fresh = 0;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const alert of alerts) {
        const { AlertID } = alert.Picket;
        const columns = [alert.NamespaceName, alert.PodName, alert.PolicyName, alert.Action].map(
          (text) => text ?? null,
        );
        const time = timeUs(alert.UpdatedTime);
        fresh += Number(this.#insert.run(AlertID, time, ...columns, encodeAlertJson(alert)).changes);
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
    return fresh;
  }

  /** Removes what is too old at `nowMs`, then the oldest while the file is too large. Returns how many went. */
  prune(nowMs: number): number {
    const oldest = (nowMs - this.#limits.maxAgeDays * 86_400_000) * 1000;
    let gone = 0;
    for (let changes = -1; changes !== 0; gone += changes)
      changes = this.#delete('time_us < ?', Math.floor(oldest), 10_000);
    while (this.bytes() > this.#limits.maxBytes) {
      // A fiftieth at a time, so that the limit is not met again with the next alert.
      const changes = this.#delete('?', 1, Math.max(1, Math.ceil(this.count() / 50)));
      if (changes === 0) break;
      gone += changes;
    }
    return gone;
  }

  /** Bytes in use; pages that are free for new alerts do not count. */
  bytes(): number {
    const pages = this.#number('PRAGMA page_count') - this.#number('PRAGMA freelist_count');
    return pages * this.#number('PRAGMA page_size');
  }

  count(): number {
    return this.#number('SELECT count(*) FROM alerts');
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #delete(where: string, argument: number, limit: number): number {
    const sql = `DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE ${where} ORDER BY time_us, id LIMIT ?)`;
    return Number(this.#db.prepare(sql).run(argument, limit).changes);
  }

  #number(sql: string): number {
    const row = this.#db.prepare(sql).get();
    return Number(row && Object.values(row)[0]);
  }
}

/** Microseconds of an RFC 3339 time with six decimals; milliseconds are all that Date keeps. */
export function timeUs(time: string): number {
  return Date.parse(time) * 1000 + Number(time.slice(23, 26));
}
