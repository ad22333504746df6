import { splitResources } from '../../otel/otlp/split.ts';
import { validateLogs, validateTraces } from '../../otel/otlp/validate.ts';
import { siftGroup } from '../route/regroup.ts';
import type { Signal } from './call.ts';

/** A request as it is let in. */
export interface Admitted {
  /** Valid, byte for byte what came but for rejected records; undefined when there is nothing in it. */
  readonly request: Uint8Array | undefined;
  readonly records: number;
  /** Broken records that were taken out of a request whose frame is sound. */
  readonly rejected: number;
  /** What was wrong with the first of them. */
  readonly reason: string;
}

/**
 * Lets in what is sound: the whole request, or what is left of it without the broken records.
 * Throws OtlpError when the frame or a resource is broken, or when no record is left.
 */
export function admit(signal: Signal, request: Uint8Array): Admitted {
  const validate = signal === 'logs' ? validateLogs : validateTraces;
  let broken: unknown;
  try {
    validate(request);
  } catch (error) {
    broken = error;
  }
  const pieces = splitResources(request);
  if (broken === undefined) {
    const records = pieces.reduce((sum, piece) => sum + piece.records, 0);
    return { request: records > 0 ? request : undefined, records, rejected: 0, reason: '' };
  }
  const sifted = pieces.map((piece) => siftGroup(piece.bytes, validate));
  const kept = sifted.flatMap(({ request: left }) => left ?? []);
  // What is wrong outside of records (a scope, a schema URL) cannot be taken out.
  const left = Buffer.concat(kept);
  if (kept.length === 0) throw broken;
  validate(left);
  return {
    request: left,
    records: sifted.reduce((sum, group) => sum + group.kept, 0),
    rejected: sifted.reduce((sum, group) => sum + group.rejected, 0),
    reason: sifted.find(({ reason }) => reason !== '')?.reason ?? '',
  };
}
