import {
  type AnyValue,
  countNestedValue,
  countPairs,
  type KeyValue,
  readPair,
  readValue,
  writePairs,
  writeValue,
} from './attribute.ts';
import type { Reader } from './reader.ts';
import { writeDropped } from './resource.ts';
import { BYTES, countString, FIXED32, FIXED64, type Lengths, VARINT, varintSize, type Writer } from './writer.ts';

/** A log record. Times are Unix nanoseconds, ids lower-case hex; '' and 0 stand for what is not set. */
export interface LogRecord {
  timeUnixNano: bigint;
  observedTimeUnixNano: bigint;
  /** 1 (TRACE) to 24 (FATAL4). */
  severityNumber: number;
  severityText: string;
  body?: AnyValue;
  attributes: KeyValue[];
  droppedAttributesCount?: number;
  /** The lowest eight bits are the trace flags. */
  flags: number;
  traceId: string;
  spanId: string;
  eventName: string;
}

const TIME = (1 << 3) | FIXED64;
const SEVERITY_NUMBER = (2 << 3) | VARINT;
const SEVERITY_TEXT = (3 << 3) | BYTES;
const BODY = (5 << 3) | BYTES;
const ATTRIBUTES = (6 << 3) | BYTES;
const DROPPED = (7 << 3) | VARINT;
const FLAGS = (8 << 3) | FIXED32;
const TRACE_ID = (9 << 3) | BYTES;
const SPAN_ID = (10 << 3) | BYTES;
const OBSERVED_TIME = (11 << 3) | FIXED64;
const EVENT_NAME = (12 << 3) | BYTES;
const FIELDS = 0b1_1111_1110_1110;

export function countLogRecord(record: LogRecord, lengths: Lengths): number {
  const dropped = record.droppedAttributesCount ?? 0;
  return (
    (record.timeUnixNano === 0n ? 0 : 9) +
    (record.severityNumber === 0 ? 0 : 1 + varintSize(record.severityNumber)) +
    (record.severityText === '' ? 0 : countString(record.severityText, lengths)) +
    (record.body === undefined ? 0 : countNestedValue(record.body, lengths)) +
    countPairs(record.attributes, lengths) +
    (dropped === 0 ? 0 : 1 + varintSize(dropped)) +
    (record.flags === 0 ? 0 : 5) +
    (record.traceId === '' ? 0 : 18) +
    (record.spanId === '' ? 0 : 10) +
    (record.observedTimeUnixNano === 0n ? 0 : 9) +
    (record.eventName === '' ? 0 : countString(record.eventName, lengths))
  );
}

export function writeLogRecord(writer: Writer, record: LogRecord): void {
  if (record.timeUnixNano !== 0n) writer.fixed64(TIME, record.timeUnixNano);
  if (record.severityNumber !== 0) {
    writer.varint(SEVERITY_NUMBER);
    writer.varint(record.severityNumber);
  }
  if (record.severityText !== '') writer.string(SEVERITY_TEXT, record.severityText);
  if (record.body !== undefined) {
    writer.message(BODY);
    writeValue(writer, record.body);
  }
  writePairs(writer, ATTRIBUTES, record.attributes);
  writeDropped(writer, DROPPED, record.droppedAttributesCount ?? 0);
  if (record.flags !== 0) writer.fixed32(FLAGS, record.flags);
  if (record.traceId !== '') writer.id(TRACE_ID, record.traceId);
  if (record.spanId !== '') writer.id(SPAN_ID, record.spanId);
  if (record.observedTimeUnixNano !== 0n) writer.fixed64(OBSERVED_TIME, record.observedTimeUnixNano);
  if (record.eventName !== '') writer.string(EVENT_NAME, record.eventName);
}

/** Reads a LogRecord whose tag the reader has just passed. */
export function readLogRecord(reader: Reader): LogRecord {
  const record: LogRecord = {
    timeUnixNano: 0n,
    observedTimeUnixNano: 0n,
    severityNumber: 0,
    severityText: '',
    attributes: [],
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
  };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case TIME:
        record.timeUnixNano = reader.fixed64();
        break;
      case SEVERITY_NUMBER:
        record.severityNumber = reader.uint32();
        break;
      case SEVERITY_TEXT:
        record.severityText = reader.string();
        break;
      case BODY:
        record.body = readValue(reader);
        break;
      case ATTRIBUTES:
        record.attributes.push(readPair(reader));
        break;
      case DROPPED:
        record.droppedAttributesCount = reader.uint32();
        break;
      case FLAGS:
        record.flags = reader.fixed32();
        break;
      case TRACE_ID:
        record.traceId = reader.id(16);
        break;
      case SPAN_ID:
        record.spanId = reader.id(8);
        break;
      case OBSERVED_TIME:
        record.observedTimeUnixNano = reader.fixed64();
        break;
      case EVENT_NAME:
        record.eventName = reader.string();
        break;
      default:
        reader.skip(tag, FIELDS);
    }
  }
  reader.leave(outer);
  return record;
}
