import type { Signal } from './receive/call.ts';

/** What came in and what became of it, since the start. Records are log records or spans. */
export class Ledger {
  readonly #signals = { logs: fresh(), traces: fresh() };
  readonly #refusedCalls: Record<string, number> = {};

  /** A request was let in and is in the spool (`spooled`), or could not be put there. */
  received(signal: Signal, records: number, rejected: number, bytes: number): void {
    const sums = this.#signals[signal];
    sums.requests++;
    sums.bytes += bytes;
    sums.receivedRecords += records + rejected;
    sums.rejectedRecords += rejected;
  }

  spooled(signal: Signal, records: number): void {
    this.#signals[signal].spooledRecords += records;
  }

  notSpooled(signal: Signal, records: number): void {
    this.#signals[signal].notSpooledRecords += records;
  }

  /** A call that ended with another status than OK; nothing of it was taken. */
  refusedCall(status: number): void {
    this.#refusedCalls[status] = (this.#refusedCalls[status] ?? 0) + 1;
  }

  /** received = spooled + rejected + notSpooled, for each signal, when no request is under way. */
  sums() {
    return {
      logs: { ...this.#signals.logs },
      traces: { ...this.#signals.traces },
      refusedCalls: { ...this.#refusedCalls },
    };
  }
}

const fresh = () => ({
  requests: 0,
  bytes: 0,
  receivedRecords: 0,
  /** Broken records taken out of sound requests; the sender was told. */
  rejectedRecords: 0,
  spooledRecords: 0,
  /** The disk refused; the sender was told to come again. */
  notSpooledRecords: 0,
});
