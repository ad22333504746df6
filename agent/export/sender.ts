import type { Logger } from 'pino';
import type { Entry, Spool } from '../../otel/spool/spool.ts';
import type { ExportAnswer, OtlpClient } from './client.ts';

export interface SenderStats {
  delivered: number;
  /** Alerts that the collector will never take, by its own word. */
  refused: number;
  retries: number;
}

type Final = Exclude<ExportAnswer, { kind: 'retry' }>;

const backoffMs = { first: 100, most: 5_000 };
const idleMs = 1000;
const entriesPerRead = 4;

/**
 * Empties the spool into the collector, oldest first, one entry at a time; an entry leaves the spool after the answer for
 * both its logs and its spans. While the collector is away, or the disk does not play along, it waits, with growing pauses
 * and jitter.
 */
export class Sender {
  readonly stats: SenderStats = { delivered: 0, refused: 0, retries: 0 };
  readonly #spool: Pick<Spool, 'read' | 'ack'>;
  readonly #client: Pick<OtlpClient, 'export'> & Disposable;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #wake: () => void = () => {};
  #pauseMs = 0;
  #away = false;
  /** The entry that has its answers and may be in the spool still, because the disk failed then. */
  #answered = 0;

  constructor(spool: Pick<Spool, 'read' | 'ack'>, client: Pick<OtlpClient, 'export'> & Disposable, log: Logger) {
    this.#spool = spool;
    this.#client = client;
    this.#log = log;
  }

  /** There is something new in the spool. */
  notify(): void {
    this.#wake();
  }

  /** Runs until `stop`; never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let found = 0;
      try {
        found = await this.#sendSome(signal);
      } catch (err) {
        if (signal.aborted) return;
        this.#pause(undefined);
        this.#log.error({ err }, 'the spool cannot be read: alerts wait in it');
      }
      if (signal.aborted) return;
      if (this.#pauseMs > 0) await this.#wait(this.#pauseMs * (0.5 + Math.random()), false);
      else if (found === 0) await this.#wait(idleMs, true);
    }
  }

  /** Ends `run`, a request under way with it: its entry stays in the spool. */
  stop(): void {
    this.#stop.abort();
    this.#wake();
    this.#client[Symbol.dispose]();
  }

  async #sendSome(signal: AbortSignal): Promise<number> {
    const entries = this.#spool.read(0, entriesPerRead);
    if (entries.length === 0) this.#pauseMs = 0;
    for (const entry of entries) {
      if (signal.aborted) break;
      if (entry.position !== this.#answered && !(await this.#send(entry))) break;
      this.#answered = entry.position;
      this.#spool.ack(entry.position);
      this.#pauseMs = 0;
    }
    return entries.length;
  }

  async #send(entry: Entry): Promise<boolean> {
    const answers: { logs?: Final; traces?: Final } = {};
    for (const signal of ['logs', 'traces'] as const) {
      const request = entry[signal];
      if (request === undefined) continue;
      const answer = await this.#client.export(signal, request);
      if (answer.kind === 'retry') {
        this.#retryLater(answer);
        return false;
      }
      answers[signal] = answer;
    }
    if (answers.logs) this.#count(entry, answers.logs);
    if (answers.traces?.kind === 'refused')
      this.#log.error({ reason: answers.traces.reason }, 'the collector refused spans');
    if (this.#away) this.#log.info('the collector answers again');
    this.#away = false;
    return true;
  }

  #count(entry: Entry, answer: Final): void {
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
    if (this.#stop.signal.aborted) return;
    this.stats.retries++;
    this.#pause(afterMs);
    if (!this.#away) this.#log.warn({ reason }, 'the collector does not take alerts: they wait in the spool');
    this.#away = true;
  }

  #pause(afterMs: number | undefined): void {
    this.#pauseMs = Math.max(backoffMs.first, afterMs ?? Math.min(backoffMs.most, this.#pauseMs * 2));
  }

  #wait(ms: number, wakeable: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = wakeable ? resolve : () => this.#stop.signal.aborted && resolve();
    return promise.finally(() => clearTimeout(timer));
  }
}
