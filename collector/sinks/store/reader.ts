import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { CollectorError } from '../../error.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './database.ts';

/** Which alerts; what is not given does not matter. */
export interface AlertFilter {
  readonly sinceMs?: number | undefined;
  readonly namespace?: string | undefined;
  readonly pod?: string | undefined;
  readonly policy?: string | undefined;
  /** In any case of letters. */
  readonly action?: string | undefined;
}

/** The reading side of the alert store; the collector may go on writing. */
export class AlertReader implements Disposable {
  readonly #db: DatabaseSync;

  /** Throws CollectorError `store-missing` or `store`. */
  constructor(path: string) {
    if (!existsSync(path)) throw new CollectorError('store-missing', `there is no alert store at ${path}`);
    try {
      this.#db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    } catch (cause) {
      throw new CollectorError('store', `cannot open the alert store ${path}: ${(cause as Error).message}`, cause);
    }
    try {
      const id = this.#number('PRAGMA application_id');
      const version = this.#number('PRAGMA user_version');
      if (id !== APPLICATION_ID || version !== SCHEMA_VERSION) throw new Error('it is no alert store of this version');
    } catch (cause) {
      this.#db.close();
      throw new CollectorError('store', `cannot read the alert store ${path}: ${(cause as Error).message}`, cause);
    }
  }

  /** The place behind the last alert: where `after` begins to show what is new. */
  end(): number {
    return this.#number('SELECT ifnull(max(id), 0) FROM alerts');
  }

  /** JSON of the latest `limit` alerts up to place `end`, oldest first by time. */
  *latest(filter: AlertFilter, limit: number, end: number): Generator<string> {
    const { where, values } = condition(filter);
    const inner = `SELECT id, time_us, json FROM alerts WHERE id <= ? ${where} ORDER BY time_us DESC, id DESC LIMIT ?`;
    const statement = this.#db.prepare(`SELECT json FROM (${inner}) ORDER BY time_us, id`);
    for (const row of statement.iterate(end, ...values, limit)) yield String(row.json);
  }

  /** Up to `limit` alerts that arrived after a place, in order of arrival. */
  after(place: number, filter: AlertFilter, limit: number): { place: number; json: string }[] {
    const { where, values } = condition(filter);
    const statement = this.#db.prepare(`SELECT id, json FROM alerts WHERE id > ? ${where} ORDER BY id LIMIT ?`);
    return statement.all(place, ...values, limit).map(({ id, json }) => ({ place: Number(id), json: String(json) }));
  }

  /** Changes whenever another process has written; cheap enough to ask ten times a second. */
  version(): number {
    return this.#number('PRAGMA data_version');
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #number(sql: string): number {
    const row = this.#db.prepare(sql).get();
    return Number(row && Object.values(row)[0]);
  }
}

function condition(filter: AlertFilter): { where: string; values: (string | number)[] } {
  const parts: string[] = [];
  const values: (string | number)[] = [];
  const add = (sql: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    parts.push(`AND ${sql}`);
    values.push(value);
  };
  add('time_us >= ?', filter.sinceMs === undefined ? undefined : Math.floor(filter.sinceMs * 1000));
  add('namespace = ?', filter.namespace);
  add('pod = ?', filter.pod);
  add('policy = ?', filter.policy);
  add('action = ? COLLATE NOCASE', filter.action);
  return { where: parts.join(' '), values };
}
