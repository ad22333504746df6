import { readPair } from './attribute.ts';
import { Reader } from './reader.ts';
import { FIRST, SECOND, THIRD } from './request.ts';

/** One resource group of a request, cut out byte for byte. */
export interface ResourcePiece {
  /** By itself a valid request. It shares memory with the request it was cut from. */
  bytes: Uint8Array;
  /** Records (or spans) in it. */
  records: number;
  /** What Kafka keys the piece by: attribute `container.id`, else `host.name`, else none. */
  key: string | undefined;
}

/**
 * Cuts a request for logs or traces at its top-level field 1. Nothing is encoded again, so fields that Picket does not
 * know survive: within a resource group, and between groups, where they stay with the group before (at the very
 * beginning: after). The pieces laid end to end are the request.
 * @throws OtlpError when the frame around the records, or a resource, is broken; records are not looked into
 */
export function splitResources(bytes: Uint8Array): ResourcePiece[] {
  const pieces: ResourcePiece[] = [];
  const reader = new Reader(bytes);
  let start = 0;
  let open: Omit<ResourcePiece, 'bytes'> | undefined;
  const close = (end: number): void => {
    if (open === undefined) return;
    pieces.push({ bytes: bytes.subarray(start, end), ...open });
    start = end;
  };
  while (reader.more()) {
    const before = reader.position;
    const tag = reader.tag();
    if (tag !== FIRST) {
      reader.skip(tag, 0b10);
      continue;
    }
    close(before);
    open = scanGroup(reader);
  }
  close(bytes.length);
  return pieces;
}

function scanGroup(reader: Reader): Omit<ResourcePiece, 'bytes'> {
  const names: { container?: string; host?: string } = {};
  let records = 0;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === FIRST) scanResource(reader, names);
    else if (tag === SECOND) records += countRecords(reader);
    else reader.skip(tag, tag === THIRD ? 0 : 0b1110);
  }
  reader.leave(outer);
  return { records, key: names.container ?? names.host };
}

function scanResource(reader: Reader, names: { container?: string; host?: string }): void {
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag !== FIRST) {
      reader.skip(tag, 0b10);
      continue;
    }
    const { key, value } = readPair(reader);
    if (value.kind !== 'string' || value.value === '') continue;
    if (key === 'container.id') names.container ??= value.value;
    else if (key === 'host.name') names.host ??= value.value;
  }
  reader.leave(outer);
}

function countRecords(reader: Reader): number {
  let records = 0;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === SECOND) records++;
    reader.skip(tag, tag === SECOND ? 0 : 0b100);
  }
  reader.leave(outer);
  return records;
}
