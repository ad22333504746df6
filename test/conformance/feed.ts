import { DatabaseSync } from 'node:sqlite';
import type { Alert } from '../../otel/alert.ts';

/** Alerts that have arrived in the collector's store. */
export interface AlertFeed extends Disposable {
  /** Those that arrived since the last call, in the order of arrival. */
  read(): Alert[];
}

/** Reads the store beside the collector that writes it. */
export function openAlertFeed(path: string): AlertFeed {
  const database = new DatabaseSync(path, { readOnly: true });
  const select = database.prepare('SELECT id, json FROM alerts WHERE id > ? ORDER BY id');
  let last = 0;
  return {
    read() {
      const rows = select.all(last);
      last = Number(rows.at(-1)?.id ?? last);
      return rows.map(({ json }) => JSON.parse(String(json)));
    },
    [Symbol.dispose]: () => database.close(),
  };
}
