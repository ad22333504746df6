import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Spool } from '../../otel/spool/spool.ts';
import type { Sink } from '../sinks/sink.ts';
import { Lane, type LaneOptions, type LaneStatus } from './lane.ts';

export interface DeliveryOptions {
  readonly spool: Spool;
  readonly sinks: readonly Sink[];
  readonly log: Logger;
  readonly wait?: LaneOptions['wait'];
}

/** Delivers the spool to all sinks. An entry leaves the spool when every sink is done with it. */
export class Delivery {
  readonly #lanes: Lane[];
  /** Positions that are done and still in the spool: more than one only while its disk refuses. */
  readonly #owed: number[] = [];

  constructor({ spool, sinks, log, wait = patiently }: DeliveryOptions) {
    // The last lane to pass an entry takes it out; a lane that is ahead only notes how far it has come.
    const done = (position: number): void => {
      if (this.#lanes.every((lane) => lane.position >= position)) this.#acknowledge(spool, position, log);
    };
    const lanes: Lane[] = [];
    this.#lanes = lanes;
    for (const sink of sinks) lanes.push(new Lane({ spool, sink, log, done, wait }));
  }

  /** Says that the spool has something new. */
  wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  status(): LaneStatus[] {
    return this.#lanes.map((lane) => lane.status());
  }

  #acknowledge(spool: Spool, position: number, log: Logger): void {
    this.#owed.push(position);
    try {
      for (let next = this.#owed[0]; next !== undefined; next = this.#owed[0]) {
        spool.ack(next);
        this.#owed.shift();
      }
    } catch (error) {
      log.warn({ reason: (error as Error).message, entries: this.#owed.length }, 'delivered, and still in the spool');
    }
  }

  /** Ends after the sends that are under way, or after `graceMs`. What is not delivered stays in the spool. */
  async stop(graceMs: number): Promise<void> {
    const late = setTimeout(graceMs, undefined, { ref: false });
    await Promise.race([Promise.all(this.#lanes.map((lane) => lane.stop())), late]);
  }
}

async function patiently(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}
