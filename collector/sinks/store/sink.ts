import { chmodSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Batch } from '../../../otel/spool/spool.ts';
import { CollectorError } from '../../error.ts';
import { alertsIn } from '../../route/alerts.ts';
import type { Sink, SinkResult, SinkStats } from '../sink.ts';
import { AlertDatabase, type StoreLimits } from './database.ts';

export interface StoreSinkOptions extends StoreLimits {
  readonly path: string;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

const PRUNE_EVERY_MS = 60_000;

/** Keeps alerts in the embedded store. What is not an alert has no place there and is passed over. */
export class StoreSink implements Sink {
  readonly name = 'store';
  readonly #options: StoreSinkOptions;
  readonly #database: AlertDatabase;
  readonly #timer: NodeJS.Timeout;
  readonly #delivered = { alerts: 0, repeats: 0 };
  readonly #dropped = { pruned: 0, 'not-an-alert': 0 };

  constructor(options: StoreSinkOptions) {
    this.#options = options;
    try {
      this.#database = new AlertDatabase(options.path, options);
      chmodSync(options.path, 0o600);
    } catch (cause) {
      throw new CollectorError(
        'store',
        `cannot open the alert store ${options.path}: ${(cause as Error).message}`,
        cause,
      );
    }
    this.#timer = setInterval(() => this.#prune(), PRUNE_EVERY_MS).unref();
    this.#prune();
  }

  async send(batch: Batch): Promise<SinkResult> {
    if (!batch.logs) return { kind: 'acknowledged' };
    const { alerts, broken } = alertsIn(batch.logs);
    try {
      const fresh = this.#database.insert(alerts);
      this.#delivered.alerts += fresh;
      this.#delivered.repeats += alerts.length - fresh;
    } catch (error) {
      // A full disk, an I/O error, a lock: nothing that is wrong with the batch.
      return { kind: 'retry', afterMs: 1000, reason: (error as Error).message };
    }
    this.#dropped['not-an-alert'] += broken.length;
    for (const { reason } of broken) this.#options.log.warn({ reason }, 'a record that says it is an alert is not one');
    if (alerts.length > 0) this.#prune();
    return { kind: 'acknowledged' };
  }

  stats(): SinkStats {
    return { delivered: { ...this.#delivered }, dropped: { ...this.#dropped } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#database[Symbol.dispose]();
  }

  #prune(): void {
    try {
      this.#dropped.pruned += this.#database.prune((this.#options.now ?? Date.now)());
    } catch (error) {
      this.#options.log.warn({ reason: (error as Error).message }, 'the alert store could not be pruned');
    }
  }
}
