import { decodeRequest, encodeRequest, type RecordGroup, type ResourceRecords } from './request.ts';
import { countSpan, readSpan, type Span, writeSpan } from './span.ts';

export interface SpanGroup extends Omit<RecordGroup<Span>, 'records'> {
  spans: readonly (Span | Uint8Array)[];
}
export type ResourceSpans = ResourceRecords<Span>;

const codec = { count: countSpan, write: writeSpan, read: readSpan };

/**
 * The bytes of an ExportTraceServiceRequest. Resource, scope and spans may be given as the bytes of `encodeResource`,
 * `encodeScope` and `encodeSpan`. Neighbouring groups with the same resource object or bytes share one ResourceSpans.
 */
export function encodeTraces(groups: readonly SpanGroup[]): Uint8Array {
  return encodeRequest(
    groups.map(({ resource, scope, spans }) => ({ resource, scope, records: spans })),
    codec,
  );
}

/**
 * Reads an ExportTraceServiceRequest; the spans are the `records` of each scope. What Picket does not know is stepped
 * over.
 * @throws OtlpError for bytes that are no such request, and no other error
 */
export function decodeTraces(bytes: Uint8Array): ResourceSpans[] {
  return decodeRequest(bytes, codec);
}
