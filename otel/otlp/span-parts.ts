import { countPairs, type KeyValue, readPair, writePairs } from './attribute.ts';
import type { Reader } from './reader.ts';
import { writeDropped } from './resource.ts';
import {
  BYTES,
  countString,
  delimitedSize,
  FIXED32,
  FIXED64,
  type Lengths,
  VARINT,
  varintSize,
  type Writer,
} from './writer.ts';

/** Something that happened at one moment within a span. */
export interface SpanEvent {
  timeUnixNano: bigint;
  name: string;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
}

/** A pointer from one span to another, mostly in another trace. */
export interface SpanLink {
  traceId: string;
  spanId: string;
  traceState: string;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
  flags: number;
}

const EVENT_TIME = (1 << 3) | FIXED64;
const EVENT_NAME = (2 << 3) | BYTES;
const EVENT_ATTRIBUTES = (3 << 3) | BYTES;
const EVENT_DROPPED = (4 << 3) | VARINT;
const EVENT_FIELDS = 0b1_1110;
const LINK_TRACE_ID = (1 << 3) | BYTES;
const LINK_SPAN_ID = (2 << 3) | BYTES;
const LINK_TRACE_STATE = (3 << 3) | BYTES;
const LINK_ATTRIBUTES = (4 << 3) | BYTES;
const LINK_DROPPED = (5 << 3) | VARINT;
const LINK_FLAGS = (6 << 3) | FIXED32;
const LINK_FIELDS = 0b111_1110;

/** Bytes of a field that holds an event. */
export function countEvent(event: SpanEvent, lengths: Lengths): number {
  const dropped = event.droppedAttributesCount ?? 0;
  const slot = lengths.push(0) - 1;
  const size =
    (event.timeUnixNano === 0n ? 0 : 9) +
    (event.name === '' ? 0 : countString(event.name, lengths)) +
    countPairs(event.attributes, lengths) +
    (dropped === 0 ? 0 : 1 + varintSize(dropped));
  lengths[slot] = size;
  return delimitedSize(size);
}

export function writeEvent(writer: Writer, tag: number, event: SpanEvent): void {
  writer.message(tag);
  if (event.timeUnixNano !== 0n) writer.fixed64(EVENT_TIME, event.timeUnixNano);
  if (event.name !== '') writer.string(EVENT_NAME, event.name);
  writePairs(writer, EVENT_ATTRIBUTES, event.attributes);
  writeDropped(writer, EVENT_DROPPED, event.droppedAttributesCount ?? 0);
}

export function readEvent(reader: Reader): SpanEvent {
  const event: SpanEvent = { timeUnixNano: 0n, name: '', attributes: [] };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === EVENT_TIME) event.timeUnixNano = reader.fixed64();
    else if (tag === EVENT_NAME) event.name = reader.string();
    else if (tag === EVENT_ATTRIBUTES) event.attributes.push(readPair(reader));
    else if (tag === EVENT_DROPPED) event.droppedAttributesCount = reader.uint32();
    else reader.skip(tag, EVENT_FIELDS);
  }
  reader.leave(outer);
  return event;
}

/** Bytes of a field that holds a link. */
export function countLink(link: SpanLink, lengths: Lengths): number {
  const dropped = link.droppedAttributesCount ?? 0;
  const slot = lengths.push(0) - 1;
  const size =
    (link.traceId === '' ? 0 : 18) +
    (link.spanId === '' ? 0 : 10) +
    (link.traceState === '' ? 0 : countString(link.traceState, lengths)) +
    countPairs(link.attributes, lengths) +
    (dropped === 0 ? 0 : 1 + varintSize(dropped)) +
    (link.flags === 0 ? 0 : 5);
  lengths[slot] = size;
  return delimitedSize(size);
}

export function writeLink(writer: Writer, tag: number, link: SpanLink): void {
  writer.message(tag);
  if (link.traceId !== '') writer.id(LINK_TRACE_ID, link.traceId);
  if (link.spanId !== '') writer.id(LINK_SPAN_ID, link.spanId);
  if (link.traceState !== '') writer.string(LINK_TRACE_STATE, link.traceState);
  writePairs(writer, LINK_ATTRIBUTES, link.attributes);
  writeDropped(writer, LINK_DROPPED, link.droppedAttributesCount ?? 0);
  if (link.flags !== 0) writer.fixed32(LINK_FLAGS, link.flags);
}

export function readLink(reader: Reader): SpanLink {
  const link: SpanLink = { traceId: '', spanId: '', traceState: '', attributes: [], flags: 0 };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === LINK_TRACE_ID) link.traceId = reader.id(16);
    else if (tag === LINK_SPAN_ID) link.spanId = reader.id(8);
    else if (tag === LINK_TRACE_STATE) link.traceState = reader.string();
    else if (tag === LINK_ATTRIBUTES) link.attributes.push(readPair(reader));
    else if (tag === LINK_DROPPED) link.droppedAttributesCount = reader.uint32();
    else if (tag === LINK_FLAGS) link.flags = reader.fixed32();
    else reader.skip(tag, LINK_FIELDS);
  }
  reader.leave(outer);
  return link;
}
