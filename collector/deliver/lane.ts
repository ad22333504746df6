import type { Logger } from 'pino';
import type { Batch, Entry, Spool } from '../../otel/spool/spool.ts';
import type { Sink, SinkStats } from '../sinks/sink.ts';

/** How a sink is doing. */
export interface LaneStatus extends SinkStats {
  readonly name: string;
  /** Why it does not get on at the moment; undefined when it does. */
  readonly waitingFor: string | undefined;
  /** Records of the spool that it has taken (acknowledged) since the start. */
  readonly acknowledgedRecords: number;
  /** Records that it refused for good since the start. */
  readonly refusedRecords: number;
  readonly retries: number;
}

export interface LaneOptions {
  readonly spool: Spool;
  readonly sink: Sink;
  readonly log: Logger;
  /** An entry is done here: delivered, or refused for good. */
  readonly done: (position: number) => void;
  /** Waits; resolves early when the signal aborts. Replaced in tests, which do not wait. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Entries are put together up to this size, so that a sink gets fewer and larger batches when it is behind. */
const BATCH_BYTES = 1024 * 1024;
const MAX_BACKOFF_MS = 5000;

/**
 * Takes entries out of the spool in order and gives them to one sink until it has taken them. A lane has its own place
 * in the spool, so a sink that is away holds up no other. Nothing is held in memory but the batch under way.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #done = 0;
  #waitingFor: string | undefined;
  #failures = 0;
  #counts = { acknowledgedRecords: 0, refusedRecords: 0, retries: 0 };

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Everything up to this position is done here, in this run. */
  get position(): number {
    return this.#done;
  }

  /** Says that the spool has something new. */
  wake(): void {
    this.#wake.resolve();
  }

  status(): LaneStatus {
    const { sink } = this.#options;
    return { name: sink.name, waitingFor: this.#waitingFor, ...this.#counts, ...sink.stats() };
  }

  /** Ends after the send that is under way. What is not delivered stays in the spool. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      try {
        const entries = this.#next();
        if (entries.length > 0) {
          await this.#deliver(entries);
        } else {
          this.#waitingFor = undefined;
          await this.#wake.promise;
        }
      } catch (error) {
        // The spool could not be read or written; the entries are still there.
        await this.#pause(1000, (error as Error).message);
      }
    }
  }

  #next(): Entry[] {
    const entries: Entry[] = [];
    for (let bytes = 0, from = this.#done + 1; bytes < BATCH_BYTES && entries.length < 256; ) {
      const [entry] = this.#options.spool.read(from, 1);
      if (!entry) break;
      entries.push(entry);
      bytes += (entry.logs?.length ?? 0) + (entry.traces?.length ?? 0);
      from = entry.position + 1;
    }
    return entries;
  }

  /** Sends entries as one batch; when that is refused, one by one, so that only what is wrong is left out. */
  async #deliver(entries: readonly Entry[]): Promise<void> {
    const batch = merge(entries);
    for (;;) {
      const result = await this.#send(batch);
      if (result.kind === 'acknowledged') {
        this.#counts.acknowledgedRecords += batch.records;
        break;
      }
      if (result.kind === 'refused') {
        if (entries.length > 1) {
          for (const entry of entries) if (!this.#stop.signal.aborted) await this.#deliver([entry]);
          return;
        }
        this.#counts.refusedRecords += batch.records;
        const { name } = this.#options.sink;
        this.#options.log.error({ sink: name, records: batch.records, reason: result.reason }, 'a batch is refused');
        break;
      }
      await this.#pause(result.afterMs, result.reason);
      if (this.#stop.signal.aborted) return;
    }
    if (this.#waitingFor !== undefined) this.#options.log.info({ sink: this.#options.sink.name }, 'delivery goes on');
    this.#waitingFor = undefined;
    this.#failures = 0;
    for (const { position } of entries) {
      this.#done = position;
      this.#options.done(position);
    }
  }

  async #send(batch: Batch): ReturnType<Sink['send']> {
    try {
      return await this.#options.sink.send(batch);
    } catch (error) {
      return { kind: 'retry', afterMs: 1000, reason: (error as Error).message };
    }
  }

  /** Waits longer each time, up to five seconds and a bit, so that many collectors do not come back together. */
  async #pause(afterMs: number, reason: string): Promise<void> {
    const { log, sink, wait } = this.#options;
    if (this.#waitingFor !== reason) log.warn({ sink: sink.name, reason }, 'delivery waits; what arrives is kept');
    this.#waitingFor = reason;
    this.#counts.retries++;
    const backoff = Math.min(MAX_BACKOFF_MS, 100 * 2 ** this.#failures++);
    await wait(Math.max(afterMs, backoff) * (0.8 + 0.4 * Math.random()), this.#stop.signal);
  }
}

/** Several export requests laid end to end are one. */
function merge(entries: readonly Entry[]): Batch {
  const [only] = entries;
  if (only && entries.length === 1) return only;
  const logs = entries.flatMap((entry) => entry.logs ?? []);
  const traces = entries.flatMap((entry) => entry.traces ?? []);
  return {
    ...(logs.length > 0 ? { logs: Buffer.concat(logs) } : {}),
    ...(traces.length > 0 ? { traces: Buffer.concat(traces) } : {}),
    records: entries.reduce((sum, entry) => sum + entry.records, 0),
  };
}
