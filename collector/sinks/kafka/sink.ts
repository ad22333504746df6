import type { Logger } from 'pino';
import type { Batch } from '../../../otel/spool/spool.ts';
import type { Sink, SinkResult, SinkStats } from '../sink.ts';
import { type OutgoingRecord, RecordProducer } from './producer.ts';
import { deadLetter, kafkaRecords, topics } from './records.ts';
import { ensureTopics, type TopicOptions } from './topics.ts';

export interface KafkaSinkOptions extends TopicOptions {
  readonly maxRecordBytes: number;
  readonly log: Logger;
}

/** Bounds of one send: a record batch above the brokers' usual 1 MiB would be refused as a whole. */
const SEND_BYTES = 900_000;
const SEND_RECORDS = 1000;

/** Writes batches to Kafka, every record acknowledged by all replicas in sync before the batch is. */
export class KafkaSink implements Sink {
  readonly name = 'kafka';
  readonly #options: KafkaSinkOptions;
  readonly #producer: RecordProducer;
  readonly #delivered: Record<string, number> = {};
  readonly #dropped: Record<string, number> = {};
  #topicsReady = false;
  #preparing: Promise<unknown> | undefined;
  /** Where to go on with a batch that comes again, so that what is written already is not written twice. */
  #pending: { batch: Batch; sends: OutgoingRecord[][] } | undefined;

  constructor(options: KafkaSinkOptions) {
    this.#options = options;
    this.#producer = new RecordProducer(options);
    // Ahead of the first alert, which would wait for connections and new topics. Kafka may be away: the first send asks again.
    this.#preparing = this.#ensureTopics();
  }

  async send(batch: Batch): Promise<SinkResult> {
    await this.#preparing;
    this.#preparing = undefined;
    if (!this.#topicsReady) {
      const result = await this.#ensureTopics();
      if (result) return result;
    }
    if (this.#pending?.batch !== batch)
      this.#pending = { batch, sends: portions(kafkaRecords(batch, this.#options.maxRecordBytes)) };
    const { sends } = this.#pending;
    for (let records = sends.shift(); records; records = sends.shift()) {
      const result = await this.#producer.send(records);
      if (result.kind === 'written') {
        for (const { topic } of records) this.#delivered[topic] = (this.#delivered[topic] ?? 0) + 1;
      } else if (result.kind === 'too-large') {
        sends.unshift(...this.#smaller(records));
      } else {
        sends.unshift(records);
        if (result.kind === 'failed') return { kind: 'retry', afterMs: 250, reason: result.reason };
        this.#topicsReady = false;
        return { kind: 'retry', afterMs: 0, reason: 'a topic is gone' };
      }
    }
    this.#pending = undefined;
    return { kind: 'acknowledged' };
  }

  stats(): SinkStats {
    return { delivered: { ...this.#delivered }, dropped: { ...this.#dropped } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer[Symbol.asyncDispose]();
  }

  async #ensureTopics(): Promise<SinkResult | undefined> {
    const result = await ensureTopics(Object.values(topics), this.#options);
    if (result.kind === 'failed') return { kind: 'retry', afterMs: 250, reason: result.reason };
    if (result.kind === 'missing') return { kind: 'retry', afterMs: 5000, reason: result.reason };
    if (result.created.length > 0) this.#options.log.info({ topics: result.created }, 'topics created');
    this.#topicsReady = true;
    return undefined;
  }

  /** Halves; a single record becomes a dead letter, and a dead letter that is too large even so is dropped, counted. */
  #smaller(records: OutgoingRecord[]): OutgoingRecord[][] {
    const [only] = records;
    if (records.length > 1 || !only) {
      const middle = records.length >> 1;
      return [records.slice(0, middle), records.slice(middle)];
    }
    if (only.topic !== topics.deadLetter)
      return [[deadLetter(only, `${only.value.length} bytes, more than the brokers take for ${only.topic}`)]];
    if (only.value.length > 0) return [[{ ...only, value: Buffer.alloc(0) }]];
    this.#dropped['too-large'] = (this.#dropped['too-large'] ?? 0) + 1;
    this.#options.log.error({ headers: only.headers }, 'a dead letter is larger than the brokers take, and dropped');
    return [];
  }
}

/** Runs of records, in order, that one send takes. */
function portions(records: readonly OutgoingRecord[]): OutgoingRecord[][] {
  const sends: OutgoingRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = record.value.length + 512; // key, headers and framing
    if (bytes + size > SEND_BYTES || (sends.at(-1)?.length ?? 0) >= SEND_RECORDS) {
      sends.push([]);
      bytes = 0;
    }
    sends.at(-1)?.push(record);
    bytes += size;
  }
  return sends;
}
