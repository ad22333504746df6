import { Reader } from './reader.ts';
import {
  countResource,
  countScope,
  type Resource,
  readResource,
  readScope,
  type Scope,
  writeResource,
  writeScope,
} from './resource.ts';
import { BYTES, delimitedSize, type Lengths, Writer } from './writer.ts';

/*
 * Requests for logs and for traces have one and the same frame, and only the innermost message differs:
 *
 *   request      1: resource group, repeated          (also the bytes of LogsData and TracesData)
 *   group        1: resource  2: scope group, repeated  3: schema URL
 *   scope group  1: scope     2: record, repeated       3: schema URL
 */
export const FIRST = (1 << 3) | BYTES;
export const SECOND = (2 << 3) | BYTES;
export const THIRD = (3 << 3) | BYTES;
const REQUEST_FIELDS = 0b10;
const GROUP_FIELDS = 0b1110;

/** How a record is counted, written and read. */
export interface RecordCodec<Record> {
  count(record: Record, lengths: Lengths): number;
  write(writer: Writer, record: Record): void;
  read(reader: Reader): Record;
}

/** Records of one scope of one resource. What is sent often may be given as the bytes of its message. */
export interface RecordGroup<Record> {
  resource: Resource | Uint8Array;
  scope: Scope | Uint8Array;
  records: readonly (Record | Uint8Array)[];
}

/** What was read: records by scope by resource. */
export interface ResourceRecords<Record> {
  resource: Resource;
  schemaUrl: string;
  scopes: ScopeRecords<Record>[];
}

export interface ScopeRecords<Record> {
  scope: Scope;
  schemaUrl: string;
  records: Record[];
}

/** An export request. Neighbouring groups with the same resource object (or bytes) share one resource group. */
export function encodeRequest<Record>(groups: readonly RecordGroup<Record>[], codec: RecordCodec<Record>): Uint8Array {
  const lengths: Lengths = [];
  let size = 0;
  for (let i = 0; i < groups.length; ) {
    const slot = lengths.push(0) - 1;
    const resource = (groups[i] as RecordGroup<Record>).resource;
    let inner = countNested(resource, countResource, lengths);
    do inner += countScopeGroup(groups[i++] as RecordGroup<Record>, codec, lengths);
    while (groups[i]?.resource === resource);
    lengths[slot] = inner;
    size += delimitedSize(inner);
  }
  const writer = new Writer(size, lengths);
  for (let i = 0; i < groups.length; ) {
    const resource = (groups[i] as RecordGroup<Record>).resource;
    writer.message(FIRST);
    writeNested(writer, FIRST, resource, writeResource);
    do writeScopeGroup(writer, groups[i++] as RecordGroup<Record>, codec);
    while (groups[i]?.resource === resource);
  }
  return writer.bytes;
}

function countScopeGroup<Record>(group: RecordGroup<Record>, codec: RecordCodec<Record>, lengths: Lengths): number {
  const slot = lengths.push(0) - 1;
  let size = countNested(group.scope, countScope, lengths);
  for (const record of group.records) size += countNested(record, codec.count, lengths);
  lengths[slot] = size;
  return delimitedSize(size);
}

function writeScopeGroup<Record>(writer: Writer, group: RecordGroup<Record>, codec: RecordCodec<Record>): void {
  writer.message(SECOND);
  writeNested(writer, FIRST, group.scope, writeScope);
  for (const record of group.records) writeNested(writer, SECOND, record, codec.write);
}

function countNested<T>(
  message: T | Uint8Array,
  count: (message: T, lengths: Lengths) => number,
  lengths: Lengths,
): number {
  if (message instanceof Uint8Array) return delimitedSize(message.length);
  const slot = lengths.push(0) - 1;
  const size = count(message, lengths);
  lengths[slot] = size;
  return delimitedSize(size);
}

function writeNested<T>(
  writer: Writer,
  tag: number,
  message: T | Uint8Array,
  write: (writer: Writer, message: T) => void,
): void {
  if (message instanceof Uint8Array) {
    writer.raw(tag, message);
  } else {
    writer.message(tag);
    write(writer, message);
  }
}

/**
 * Reads a whole request.
 * @throws OtlpError for anything that is not OTLP; never another error, and in time linear in the bytes
 */
export function decodeRequest<Record>(bytes: Uint8Array, codec: RecordCodec<Record>): ResourceRecords<Record>[] {
  const reader = new Reader(bytes);
  const groups: ResourceRecords<Record>[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === FIRST) groups.push(readGroup(reader, codec));
    else reader.skip(tag, REQUEST_FIELDS);
  }
  return groups;
}

function readGroup<Record>(reader: Reader, codec: RecordCodec<Record>): ResourceRecords<Record> {
  const group: ResourceRecords<Record> = { resource: { attributes: [] }, schemaUrl: '', scopes: [] };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === FIRST) readResource(reader, group.resource);
    else if (tag === SECOND) group.scopes.push(readScopeGroup(reader, codec));
    else if (tag === THIRD) group.schemaUrl = reader.string();
    else reader.skip(tag, GROUP_FIELDS);
  }
  reader.leave(outer);
  return group;
}

function readScopeGroup<Record>(reader: Reader, codec: RecordCodec<Record>): ScopeRecords<Record> {
  const group: ScopeRecords<Record> = { scope: { name: '', version: '', attributes: [] }, schemaUrl: '', records: [] };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === FIRST) readScope(reader, group.scope);
    else if (tag === SECOND) group.records.push(codec.read(reader));
    else if (tag === THIRD) group.schemaUrl = reader.string();
    else reader.skip(tag, GROUP_FIELDS);
  }
  reader.leave(outer);
  return group;
}
