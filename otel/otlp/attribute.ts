import type { Reader } from './reader.ts';
import {
  BYTES,
  countString,
  delimitedSize,
  FIXED64,
  int64Size,
  type Lengths,
  VARINT,
  varintSize,
  type Writer,
} from './writer.ts';

/**
 * A value of OTLP. `int` is a 64-bit integer: read as a number where a number holds it exactly, else as a bigint.
 * `empty` is a value that was not set.
 */
export type AnyValue =
  | { kind: 'string'; value: string }
  | { kind: 'bool'; value: boolean }
  | { kind: 'int'; value: number | bigint }
  | { kind: 'double'; value: number }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'array'; value: AnyValue[] }
  | { kind: 'map'; value: KeyValue[] }
  | { kind: 'empty' };

export interface KeyValue {
  key: string;
  value: AnyValue;
}

const STRING_VALUE = (1 << 3) | BYTES;
const BOOL_VALUE = (2 << 3) | VARINT;
const INT_VALUE = (3 << 3) | VARINT;
const DOUBLE_VALUE = (4 << 3) | FIXED64;
const ARRAY_VALUE = (5 << 3) | BYTES;
const MAP_VALUE = (6 << 3) | BYTES;
const BYTES_VALUE = (7 << 3) | BYTES;
const VALUE_FIELDS = 0b1111_1110;
/** ArrayValue.values and KeyValueList.values. */
const VALUES = (1 << 3) | BYTES;
const LIST_FIELDS = 0b10;
const KEY = (1 << 3) | BYTES;
const VALUE = (2 << 3) | BYTES;
const PAIR_FIELDS = 0b110;

/** Bytes of the content of an AnyValue. */
export function countValue(any: AnyValue, lengths: Lengths): number {
  switch (any.kind) {
    case 'string':
      return countString(any.value, lengths);
    case 'bool':
      return 2;
    case 'int':
      return 1 + int64Size(any.value);
    case 'double':
      return 9;
    case 'bytes':
      return delimitedSize(any.value.length);
    case 'array': {
      const slot = lengths.push(0) - 1;
      let size = 0;
      for (const entry of any.value) size += countNestedValue(entry, lengths);
      lengths[slot] = size;
      return delimitedSize(size);
    }
    case 'map': {
      const slot = lengths.push(0) - 1;
      const size = countPairs(any.value, lengths);
      lengths[slot] = size;
      return delimitedSize(size);
    }
    case 'empty':
      return 0;
  }
}

/** Bytes of a field that holds an AnyValue. */
export function countNestedValue(any: AnyValue, lengths: Lengths): number {
  const slot = lengths.push(0) - 1;
  const size = countValue(any, lengths);
  lengths[slot] = size;
  return delimitedSize(size);
}

/** Bytes of a repeated field of KeyValue with a tag of one byte. */
export function countPairs(pairs: readonly KeyValue[], lengths: Lengths): number {
  let total = 0;
  for (const pair of pairs) {
    const slot = lengths.push(0) - 1;
    const size = (pair.key === '' ? 0 : countString(pair.key, lengths)) + countNestedValue(pair.value, lengths);
    lengths[slot] = size;
    total += 1 + varintSize(size) + size;
  }
  return total;
}

export function writeValue(writer: Writer, any: AnyValue): void {
  switch (any.kind) {
    case 'string':
      writer.string(STRING_VALUE, any.value);
      break;
    case 'bool':
      writer.varint(BOOL_VALUE);
      writer.varint(any.value ? 1 : 0);
      break;
    case 'int':
      writer.varint(INT_VALUE);
      writer.int64(any.value);
      break;
    case 'double':
      writer.double(DOUBLE_VALUE, any.value);
      break;
    case 'bytes':
      writer.raw(BYTES_VALUE, any.value);
      break;
    case 'array':
      writer.message(ARRAY_VALUE);
      for (const entry of any.value) {
        writer.message(VALUES);
        writeValue(writer, entry);
      }
      break;
    case 'map':
      writer.message(MAP_VALUE);
      writePairs(writer, VALUES, any.value);
      break;
    case 'empty':
      break;
  }
}

export function writePairs(writer: Writer, tag: number, pairs: readonly KeyValue[]): void {
  for (const pair of pairs) {
    writer.message(tag);
    if (pair.key !== '') writer.string(KEY, pair.key);
    writer.message(VALUE);
    writeValue(writer, pair.value);
  }
}

/** Reads an AnyValue whose tag the reader has just passed. Of several values the last one counts. */
export function readValue(reader: Reader): AnyValue {
  const outer = reader.enter();
  let any: AnyValue = { kind: 'empty' };
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case STRING_VALUE:
        any = { kind: 'string', value: reader.string() };
        break;
      case BOOL_VALUE:
        any = { kind: 'bool', value: reader.bool() };
        break;
      case INT_VALUE:
        any = { kind: 'int', value: reader.int64() };
        break;
      case DOUBLE_VALUE:
        any = { kind: 'double', value: reader.double() };
        break;
      case ARRAY_VALUE:
        any = { kind: 'array', value: readList(reader) };
        break;
      case MAP_VALUE:
        any = { kind: 'map', value: readMap(reader) };
        break;
      case BYTES_VALUE:
        any = { kind: 'bytes', value: reader.content() };
        break;
      default:
        reader.skip(tag, VALUE_FIELDS);
    }
  }
  reader.leave(outer);
  return any;
}

function readList(reader: Reader): AnyValue[] {
  const values: AnyValue[] = [];
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === VALUES) values.push(readValue(reader));
    else reader.skip(tag, LIST_FIELDS);
  }
  reader.leave(outer);
  return values;
}

function readMap(reader: Reader): KeyValue[] {
  const pairs: KeyValue[] = [];
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === VALUES) pairs.push(readPair(reader));
    else reader.skip(tag, LIST_FIELDS);
  }
  reader.leave(outer);
  return pairs;
}

/** Reads a KeyValue whose tag the reader has just passed. */
export function readPair(reader: Reader): KeyValue {
  const pair: KeyValue = { key: '', value: { kind: 'empty' } };
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === KEY) pair.key = reader.string();
    else if (tag === VALUE) pair.value = readValue(reader);
    else reader.skip(tag, PAIR_FIELDS);
  }
  reader.leave(outer);
  return pair;
}
