import type { RecordHandler } from '../../../agent/kernel/ring.ts';
import { ringMemory } from './records.ts';

/** A ring in memory, with the part of a RingReader that the pipeline uses. Positions count records. */
export class FakeRing {
  readonly #records: Uint8Array[] = [];
  producedPosition = 0;
  consumedPosition = 0;

  push(...records: Uint8Array[]): void {
    this.#records.push(...records);
    this.producedPosition += records.length;
  }

  drain(handler: RecordHandler, max = Number.POSITIVE_INFINITY): number {
    let count = 0;
    while (count < max) {
      const record = this.#records.shift();
      if (record === undefined) break;
      this.consumedPosition++;
      count++;
      handler(ringMemory(record, 24, 8), 24, record.length);
    }
    return count;
  }
}
