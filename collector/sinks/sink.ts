import type { Batch } from '../../otel/spool/spool.ts';

/** What became of a batch. `acknowledged`: it is safe there. `retry`: send the same again. `refused`: a retry is no use. */
export type SinkResult =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Since the start, in records of the destination. */
export interface SinkStats {
  readonly delivered: Readonly<Record<string, number>>;
  /** Taken apart by reason: not delivered, though their batch was acknowledged. */
  readonly dropped: Readonly<Record<string, number>>;
}

/**
 * A place that batches are delivered to. `send` is called for one batch at a time, is bounded in time, and never throws
 * for what the destination does. A batch may come again after a restart.
 */
export interface Sink extends AsyncDisposable {
  readonly name: string;
  send(batch: Batch): Promise<SinkResult>;
  stats(): SinkStats;
}
