import { countPairs, type KeyValue, readPair, writePairs } from './attribute.ts';
import type { Reader } from './reader.ts';
import { BYTES, countString, type Lengths, VARINT, varintSize, Writer } from './writer.ts';

/** What the records are about. Entity references are not read; they stay where bytes are cut and not re-encoded. */
export interface Resource {
  attributes: KeyValue[];
  droppedAttributesCount?: number;
}

/** What made the records: a name, its version, and attributes. */
export interface Scope {
  name: string;
  version: string;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
}

const RESOURCE_ATTRIBUTES = (1 << 3) | BYTES;
const RESOURCE_DROPPED = (2 << 3) | VARINT;
const RESOURCE_FIELDS = 0b110;
const SCOPE_NAME = (1 << 3) | BYTES;
const SCOPE_VERSION = (2 << 3) | BYTES;
const SCOPE_ATTRIBUTES = (3 << 3) | BYTES;
const SCOPE_DROPPED = (4 << 3) | VARINT;
const SCOPE_FIELDS = 0b1_1110;

export function countResource(resource: Resource, lengths: Lengths): number {
  const dropped = resource.droppedAttributesCount ?? 0;
  return countPairs(resource.attributes, lengths) + (dropped === 0 ? 0 : 1 + varintSize(dropped));
}

export function writeResource(writer: Writer, resource: Resource): void {
  writePairs(writer, RESOURCE_ATTRIBUTES, resource.attributes);
  writeDropped(writer, RESOURCE_DROPPED, resource.droppedAttributesCount ?? 0);
}

export function countScope(scope: Scope, lengths: Lengths): number {
  const dropped = scope.droppedAttributesCount ?? 0;
  return (
    (scope.name === '' ? 0 : countString(scope.name, lengths)) +
    (scope.version === '' ? 0 : countString(scope.version, lengths)) +
    countPairs(scope.attributes, lengths) +
    (dropped === 0 ? 0 : 1 + varintSize(dropped))
  );
}

export function writeScope(writer: Writer, scope: Scope): void {
  if (scope.name !== '') writer.string(SCOPE_NAME, scope.name);
  if (scope.version !== '') writer.string(SCOPE_VERSION, scope.version);
  writePairs(writer, SCOPE_ATTRIBUTES, scope.attributes);
  writeDropped(writer, SCOPE_DROPPED, scope.droppedAttributesCount ?? 0);
}

/** A `dropped_…_count` field, left out when it is 0. */
export function writeDropped(writer: Writer, tag: number, dropped: number): void {
  if (dropped === 0) return;
  writer.varint(tag);
  writer.varint(dropped);
}

/** The bytes of a Resource message, to be made once per workload and given to `encodeLogs` and `encodeTraces`. */
export function encodeResource(resource: Resource): Uint8Array {
  const lengths: Lengths = [];
  const writer = new Writer(countResource(resource, lengths), lengths);
  writeResource(writer, resource);
  return writer.bytes;
}

/** The bytes of an InstrumentationScope message, to be made once and given to `encodeLogs` and `encodeTraces`. */
export function encodeScope(scope: Scope): Uint8Array {
  const lengths: Lengths = [];
  const writer = new Writer(countScope(scope, lengths), lengths);
  writeScope(writer, scope);
  return writer.bytes;
}

/** Reads a Resource into `resource`; when the field comes twice, protobuf merges. */
export function readResource(reader: Reader, resource: Resource): void {
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === RESOURCE_ATTRIBUTES) resource.attributes.push(readPair(reader));
    else if (tag === RESOURCE_DROPPED) resource.droppedAttributesCount = reader.uint32();
    else reader.skip(tag, RESOURCE_FIELDS);
  }
  reader.leave(outer);
}

export function readScope(reader: Reader, scope: Scope): void {
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === SCOPE_NAME) scope.name = reader.string();
    else if (tag === SCOPE_VERSION) scope.version = reader.string();
    else if (tag === SCOPE_ATTRIBUTES) scope.attributes.push(readPair(reader));
    else if (tag === SCOPE_DROPPED) scope.droppedAttributesCount = reader.uint32();
    else reader.skip(tag, SCOPE_FIELDS);
  }
  reader.leave(outer);
}
