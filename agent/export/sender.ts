import type { Logger } from 'pino';
import type { Entry, Spool } from '../../otel/spool/spool.ts';
import type { ExportAnswer, OtlpClient } from './client.ts';

export interface SenderStats {
  delivered: number;
  /** Alerts that the collector will never take, by its own word. */
  refused: number;
  retries: number;
}

const backoffMs = { first: 100, most: 5_000 };
const entriesPerRead = 16;

/**
 * Empties the spool into the collector, oldest first, one entry at a time; an entry leaves the spool after the answer for
 * both its logs and its spans. While the collector is away it waits, with growing pauses and jitter.
 */
export class Sender {
  readonly stats: SenderStats = { delivered: 0, refused: 0, retries: 0 };
  readonly #spool: Spool;
  readonly #client: OtlpClient;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #wake: () => void = () => {};
  #pauseMs = 0;
  #away = false;

  constructor(spool: Spool, client: OtlpClient, log: Logger) {
    this.#spool = spool;
    this.#client = client;
    this.#log = log;
  }

  /** There is something new in the spool. */
  notify(): void {
    this.#wake();
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const entries = this.#spool.read(0, entriesPerRead);
      for (const entry of entries) {
        if (signal.aborted || !(await this.#send(entry))) break;
        this.#spool.ack(entry.position);
      }
      if (signal.aborted) return;
      if (this.#pauseMs > 0) await this.#wait(this.#pauseMs * (0.5 + Math.random()), false);
      else if (entries.length === 0) await this.#wait(1000, true);
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  async #send(entry: Entry): Promise<boolean> {
    for (const signal of ['logs', 'traces'] as const) {
      const request = entry[signal];
      if (request === undefined) continue;
      const answer = await this.#client.export(signal, request);
      if (answer.kind === 'retry') {
        this.#retryLater(answer);
        return false;
      }
      if (signal === 'logs') this.#count(entry, answer);
      else if (answer.kind === 'refused') this.#log.error({ reason: answer.reason }, 'the collector refused spans');
    }
    this.#pauseMs = 0;
    if (this.#away) this.#log.info('the collector answers again');
    this.#away = false;
    return true;
  }

  #count(entry: Entry, answer: Exclude<ExportAnswer, { kind: 'retry' }>): void {
    if (answer.kind === 'refused') {
      this.stats.refused += entry.records;
      this.#log.error({ alerts: entry.records, reason: answer.reason }, 'the collector refused alerts: they are lost');
      return;
    }
    const rejected = Math.min(answer.rejectedRecords, entry.records);
    this.stats.delivered += entry.records - rejected;
    this.stats.refused += rejected;
    if (rejected > 0)
      this.#log.error({ alerts: rejected, reason: answer.message }, 'the collector refused alerts: they are lost');
  }

  #retryLater({ afterMs, reason }: Extract<ExportAnswer, { kind: 'retry' }>): void {
    this.stats.retries++;
    this.#pauseMs = afterMs ?? Math.min(backoffMs.most, Math.max(backoffMs.first, this.#pauseMs * 2));
    if (!this.#away) this.#log.warn({ reason }, 'the collector does not take alerts: they wait in the spool');
    this.#away = true;
  }

  #wait(ms: number, wakeable: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = wakeable ? resolve : () => this.#stop.signal.aborted && resolve();
    return promise.finally(() => clearTimeout(timer));
  }
}
