import { Reader } from '../../otel/otlp/reader.ts';
import { FIRST, SECOND } from '../../otel/otlp/request.ts';

/*
 * A resource group taken apart at its records and put together again, byte for byte: only the lengths around records
 * change, whatever else is in the group (schema URLs, fields that nobody knows yet) stays as it came.
 */

/** Scope and whatever else is no record (`head`), and the records, each as a field with its tag and length. */
interface ScopeGroup {
  readonly head: Uint8Array;
  readonly records: readonly Uint8Array[];
}

interface ResourceGroup {
  readonly head: Uint8Array;
  readonly scopes: readonly ScopeGroup[];
}

/**
 * The same group as several requests of at most `maxBytes` each, all with the whole resource. A record that is too large
 * by itself gets a request of its own, larger than that; so does a group whose resource or scope fills half of it.
 */
export function cutGroup(request: Uint8Array, maxBytes: number): Uint8Array[] {
  if (request.length <= maxBytes) return [request];
  const { head, scopes } = openGroup(request);
  const cut: Uint8Array[] = [];
  // Tags and lengths of the frames: request, group and scope group need six bytes each at most.
  const frames = 12 + head.length;
  // What repeats in every piece must stay the smaller part of it, or cutting would multiply the bytes.
  if (scopes.some((scope) => frames + 6 + scope.head.length > maxBytes / 2)) return [request];
  let open: { head: Uint8Array; records: Uint8Array[] }[] = [];
  let size = frames;
  for (const scope of scopes) {
    let target: { head: Uint8Array; records: Uint8Array[] } | undefined;
    for (const record of scope.records) {
      const more = record.length + (target ? 0 : 6 + scope.head.length);
      if (open.length > 0 && size + more > maxBytes) {
        cut.push(closeGroup(head, open));
        open = [];
        size = frames;
        target = undefined;
      }
      if (!target) {
        target = { head: scope.head, records: [] };
        open.push(target);
        size += 6 + scope.head.length;
      }
      target.records.push(record);
      size += record.length;
    }
  }
  if (open.length > 0) cut.push(closeGroup(head, open));
  return cut;
}

/** What is left of a group when the records that `check` throws at are taken out. */
export interface SiftedGroup {
  /** undefined: no record is left. */
  readonly request: Uint8Array | undefined;
  readonly kept: number;
  readonly rejected: number;
  /** What `check` said of the first one. */
  readonly reason: string;
}

/** Takes records out of a group. `check` gets each record as a request of its own, without resource and scope. */
export function siftGroup(request: Uint8Array, check: (request: Uint8Array) => void): SiftedGroup {
  const { head, scopes } = openGroup(request);
  let [kept, rejected, reason] = [0, 0, ''];
  const sound = scopes.map((scope) => ({
    head: scope.head,
    records: scope.records.filter((record) => {
      try {
        check(field(FIRST, field(SECOND, record)));
        kept++;
        return true;
      } catch (error) {
        if (rejected++ === 0) reason = (error as Error).message;
        return false;
      }
    }),
  }));
  return { request: kept > 0 ? closeGroup(head, sound) : undefined, kept, rejected, reason };
}

/** Throws OtlpError when the frame around the records is broken. */
function openGroup(request: Uint8Array): ResourceGroup {
  const reader = new Reader(request);
  const scopes: ScopeGroup[] = [];
  const head: Uint8Array[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag !== FIRST) {
      reader.skip(tag, 0);
      continue;
    }
    const outer = reader.enter();
    while (reader.more()) {
      const start = reader.position;
      const inner = reader.tag();
      if (inner === SECOND) {
        scopes.push(openScope(reader, request));
      } else {
        reader.skip(inner, 0);
        head.push(request.subarray(start, reader.position));
      }
    }
    reader.leave(outer);
  }
  return { head: Buffer.concat(head), scopes };
}

function openScope(reader: Reader, request: Uint8Array): ScopeGroup {
  const head: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  const outer = reader.enter();
  while (reader.more()) {
    const start = reader.position;
    const tag = reader.tag();
    reader.skip(tag, 0);
    (tag === SECOND ? records : head).push(request.subarray(start, reader.position));
  }
  reader.leave(outer);
  return { head: Buffer.concat(head), records };
}

function closeGroup(head: Uint8Array, scopes: readonly ScopeGroup[]): Buffer {
  const filled = scopes.filter(({ records }) => records.length > 0);
  return field(FIRST, head, ...filled.map((scope) => field(SECOND, scope.head, ...scope.records)));
}

/** A length-delimited field with the given bytes as content. */
function field(tag: number, ...content: Uint8Array[]): Buffer {
  let length = content.reduce((sum, part) => sum + part.length, 0);
  const prefix = [tag];
  for (; length > 0x7f; length >>>= 7) prefix.push((length & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([...prefix, length]), ...content]);
}
