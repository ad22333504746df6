import { countPairs, type KeyValue, readPair, writePairs } from './attribute.ts';
import type { Reader } from './reader.ts';
import { writeDropped } from './resource.ts';
import {
  countEvent,
  countLink,
  readEvent,
  readLink,
  type SpanEvent,
  type SpanLink,
  writeEvent,
  writeLink,
} from './span-parts.ts';
import {
  BYTES,
  countString,
  delimitedSize,
  FIXED32,
  FIXED64,
  type Lengths,
  VARINT,
  varintSize,
  Writer,
} from './writer.ts';

export const SPAN_KIND_INTERNAL = 1;
export const STATUS_UNSET = 0;
export const STATUS_ERROR = 2;

/** A span. Times are Unix nanoseconds, ids lower-case hex; '' and 0 stand for what is not set. */
export interface Span {
  traceId: string;
  spanId: string;
  traceState: string;
  parentSpanId: string;
  /** The lowest eight bits are the trace flags. */
  flags: number;
  name: string;
  kind: number;
  startTimeUnixNano: bigint;
  endTimeUnixNano: bigint;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
  events: SpanEvent[];
  droppedEventsCount?: number;
  links: SpanLink[];
  droppedLinksCount?: number;
  status?: SpanStatus;
}

export interface SpanStatus {
  code: number;
  message: string;
}

const TRACE_ID = (1 << 3) | BYTES;
const SPAN_ID = (2 << 3) | BYTES;
const TRACE_STATE = (3 << 3) | BYTES;
const PARENT_SPAN_ID = (4 << 3) | BYTES;
const NAME = (5 << 3) | BYTES;
const KIND = (6 << 3) | VARINT;
const START_TIME = (7 << 3) | FIXED64;
const END_TIME = (8 << 3) | FIXED64;
const ATTRIBUTES = (9 << 3) | BYTES;
const DROPPED_ATTRIBUTES = (10 << 3) | VARINT;
const EVENTS = (11 << 3) | BYTES;
const DROPPED_EVENTS = (12 << 3) | VARINT;
const LINKS = (13 << 3) | BYTES;
const DROPPED_LINKS = (14 << 3) | VARINT;
const STATUS = (15 << 3) | BYTES;
/** The one tag of two bytes. */
const FLAGS = (16 << 3) | FIXED32;
const FIELDS = 0b1_1111_1111_1111_1110;
const STATUS_MESSAGE = (2 << 3) | BYTES;
const STATUS_CODE = (3 << 3) | VARINT;
const STATUS_FIELDS = 0b1100;

export function countSpan(span: Span, lengths: Lengths): number {
  let size =
    (span.traceId === '' ? 0 : 18) +
    (span.spanId === '' ? 0 : 10) +
    (span.traceState === '' ? 0 : countString(span.traceState, lengths)) +
    (span.parentSpanId === '' ? 0 : 10) +
    (span.name === '' ? 0 : countString(span.name, lengths)) +
    (span.kind === 0 ? 0 : 1 + varintSize(span.kind)) +
    (span.startTimeUnixNano === 0n ? 0 : 9) +
    (span.endTimeUnixNano === 0n ? 0 : 9) +
    countPairs(span.attributes, lengths) +
    countDropped(span.droppedAttributesCount);
  for (const event of span.events) size += countEvent(event, lengths);
  size += countDropped(span.droppedEventsCount);
  for (const link of span.links) size += countLink(link, lengths);
  size += countDropped(span.droppedLinksCount);
  if (span.status !== undefined) size += countStatus(span.status, lengths);
  return size + (span.flags === 0 ? 0 : 6);
}

function countDropped(dropped = 0): number {
  return dropped === 0 ? 0 : 1 + varintSize(dropped);
}

function countStatus({ message, code }: SpanStatus, lengths: Lengths): number {
  const slot = lengths.push(0) - 1;
  const size = (message === '' ? 0 : countString(message, lengths)) + (code === 0 ? 0 : 1 + varintSize(code));
  lengths[slot] = size;
  return delimitedSize(size);
}

export function writeSpan(writer: Writer, span: Span): void {
  if (span.traceId !== '') writer.id(TRACE_ID, span.traceId);
  if (span.spanId !== '') writer.id(SPAN_ID, span.spanId);
  if (span.traceState !== '') writer.string(TRACE_STATE, span.traceState);
  if (span.parentSpanId !== '') writer.id(PARENT_SPAN_ID, span.parentSpanId);
  if (span.name !== '') writer.string(NAME, span.name);
  if (span.kind !== 0) {
    writer.varint(KIND);
    writer.varint(span.kind);
  }
  if (span.startTimeUnixNano !== 0n) writer.fixed64(START_TIME, span.startTimeUnixNano);
  if (span.endTimeUnixNano !== 0n) writer.fixed64(END_TIME, span.endTimeUnixNano);
  writePairs(writer, ATTRIBUTES, span.attributes);
  writeDropped(writer, DROPPED_ATTRIBUTES, span.droppedAttributesCount ?? 0);
  for (const event of span.events) writeEvent(writer, EVENTS, event);
  writeDropped(writer, DROPPED_EVENTS, span.droppedEventsCount ?? 0);
  for (const link of span.links) writeLink(writer, LINKS, link);
  writeDropped(writer, DROPPED_LINKS, span.droppedLinksCount ?? 0);
  if (span.status !== undefined) writeStatus(writer, span.status);
  if (span.flags !== 0) writer.fixed32(FLAGS, span.flags);
}

function writeStatus(writer: Writer, { message, code }: SpanStatus): void {
  writer.message(STATUS);
  if (message !== '') writer.string(STATUS_MESSAGE, message);
  if (code !== 0) {
    writer.varint(STATUS_CODE);
    writer.varint(code);
  }
}

/** The bytes of a Span message, to be made once for a span that is sent again and given to `encodeTraces`. */
export function encodeSpan(span: Span): Uint8Array {
  const lengths: Lengths = [];
  const writer = new Writer(countSpan(span, lengths), lengths);
  writeSpan(writer, span);
  return writer.bytes;
}

/** Reads a Span whose tag the reader has just passed. */
export function readSpan(reader: Reader): Span {
  const span: Span = {
    traceId: '',
    spanId: '',
    traceState: '',
    parentSpanId: '',
    flags: 0,
    name: '',
    kind: 0,
    startTimeUnixNano: 0n,
    endTimeUnixNano: 0n,
    attributes: [],
    events: [],
    links: [],
  };
  const outer = reader.enter();
  while (reader.more()) readSpanField(reader, span, reader.tag());
  reader.leave(outer);
  return span;
}

function readSpanField(reader: Reader, span: Span, tag: number): void {
  if (tag === TRACE_ID) span.traceId = reader.id(16);
  else if (tag === SPAN_ID) span.spanId = reader.id(8);
  else if (tag === TRACE_STATE) span.traceState = reader.string();
  else if (tag === PARENT_SPAN_ID) span.parentSpanId = reader.id(8);
  else if (tag === NAME) span.name = reader.string();
  else if (tag === KIND) span.kind = reader.uint32();
  else if (tag === START_TIME) span.startTimeUnixNano = reader.fixed64();
  else if (tag === END_TIME) span.endTimeUnixNano = reader.fixed64();
  else if (tag === ATTRIBUTES) span.attributes.push(readPair(reader));
  else if (tag === DROPPED_ATTRIBUTES) span.droppedAttributesCount = reader.uint32();
  else if (tag === EVENTS) span.events.push(readEvent(reader));
  else if (tag === DROPPED_EVENTS) span.droppedEventsCount = reader.uint32();
  else if (tag === LINKS) span.links.push(readLink(reader));
  else if (tag === DROPPED_LINKS) span.droppedLinksCount = reader.uint32();
  else if (tag === STATUS) span.status = readStatus(reader);
  else if (tag === FLAGS) span.flags = reader.fixed32();
  else reader.skip(tag, FIELDS);
}

function readStatus(reader: Reader): SpanStatus {
  const status = { code: STATUS_UNSET, message: '' };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === STATUS_MESSAGE) status.message = reader.string();
    else if (tag === STATUS_CODE) status.code = reader.uint32();
    else reader.skip(tag, STATUS_FIELDS);
  }
  reader.leave(outer);
  return status;
}
