import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Alert } from '../../otel/alert.ts';
import type { AlertFilter, AlertReader } from '../sinks/store/reader.ts';
import { escapeJson } from './escape.ts';
import { AlertTable, type TableOptions } from './table.ts';

export interface ShowOptions extends TableOptions {
  readonly filter: AlertFilter;
  readonly limit: number;
  readonly follow: boolean;
  readonly json: boolean;
}

/** Where the text goes: a stream that can be full, and closed by its reader. */
export type Output = NodeJS.WritableStream;

const POLL_MS = 100;
const PAGE = 200;

/**
 * Shows the latest alerts, and with `follow` those that come, until `signal` aborts. One JSON object a line, or a table.
 * Returns when the reader of the output has gone.
 */
export async function showAlerts(
  reader: AlertReader,
  output: Output,
  options: ShowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { filter, limit, follow } = options;
  const print = printer(output, options, signal);
  let place = reader.end();
  let page: string[] = [];
  for (const json of reader.latest(filter, limit, place)) {
    page.push(json);
    if (page.length < PAGE) continue;
    if (!(await print(page))) return;
    page = [];
  }
  if (!(await print(page)) || !follow) return;
  for (let version = -1; !signal.aborted; ) {
    const current = reader.version();
    if (current === version) {
      await setTimeout(POLL_MS, undefined, { signal }).catch(() => {});
      continue;
    }
    const fresh = reader.after(place, filter, PAGE);
    place = fresh.at(-1)?.place ?? place;
    if (fresh.length < PAGE) version = current;
    if (!(await print(fresh.map(({ json }) => json)))) return;
  }
}

/** Writes a page; false when nobody reads any more, or when it is time to end. */
function printer(
  output: Output,
  options: ShowOptions,
  signal: AbortSignal,
): (page: readonly string[]) => Promise<boolean> {
  const table = new AlertTable(options);
  let closed = false;
  output.once('error', () => {
    closed = true; // EPIPE: `picket alerts | head` has seen enough
  });
  return async (page) => {
    if (closed) return false;
    if (page.length === 0) return true;
    const text = options.json
      ? page.map((json) => `${escapeJson(json)}\n`).join('')
      : table.page(page.map((json) => JSON.parse(json) as Alert));
    if (!output.write(text)) await once(output, 'drain', { signal }).catch(() => {}); // rejects on error and abort
    return !closed && !signal.aborted;
  };
}
