/**
 * Protobuf is written in three steps: a message is counted, the buffer is allocated once, the message is written. The
 * count pass notes the length of every nested message and string in `lengths`, in the order in which the write pass
 * comes across them, so nothing is measured twice.
 */
export type Lengths = number[];

/** Wire types of protobuf: the lowest three bits of a tag. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** Strings up to here are written by a loop; from here on the call into Node's native code pays. */
const SHORT = 40;

export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let size = 5;
  for (let rest = value / 0x800000000; rest >= 1; rest /= 0x80) size++;
  return size;
}

/** Bytes of an int64 as a varint: a negative number takes ten. */
export function int64Size(value: number | bigint): number {
  if (typeof value === 'number' && value >= 0) return varintSize(value);
  let size = 1;
  for (let rest = BigInt.asUintN(64, BigInt(value)) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

/** Bytes of a length-delimited field with a tag of one byte: tag, length, content. */
export function delimitedSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Bytes of a string field with a tag of one byte. Half a surrogate pair counts as U+FFFD, as it is written. */
export function countString(text: string, lengths: Lengths): number {
  const length = utf8Length(text);
  lengths.push(length);
  return delimitedSize(length);
}

function utf8Length(text: string): number {
  if (text.length >= SHORT) return Buffer.byteLength(text, 'utf8');
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length += 2;
      i++;
    } else length += 2;
  }
  return length;
}

/** The write pass: a buffer of exactly the counted size and the noted lengths. */
export class Writer {
  readonly bytes: Buffer;
  position = 0;
  readonly #lengths: Lengths;
  #next = 0;

  constructor(size: number, lengths: Lengths) {
    this.bytes = Buffer.allocUnsafe(size);
    this.#lengths = lengths;
  }

  /** The next length that the count pass noted. */
  length(): number {
    return this.#lengths[this.#next++] as number;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.position++] = (rest % 0x80) | 0x80;
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.bytes[this.position++] = rest;
  }

  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) this.bytes[this.position++] = Number(rest & 0x7fn) | 0x80;
    this.bytes[this.position++] = Number(rest);
  }

  fixed64(tag: number, value: bigint): void {
    this.varint(tag);
    this.position = this.bytes.writeBigUInt64LE(value, this.position);
  }

  fixed32(tag: number, value: number): void {
    this.varint(tag);
    this.position = this.bytes.writeUInt32LE(value, this.position);
  }

  double(tag: number, value: number): void {
    this.varint(tag);
    this.position = this.bytes.writeDoubleLE(value, this.position);
  }

  /** Tag and noted length of a nested message, whose content the caller writes next. */
  message(tag: number): void {
    this.bytes[this.position++] = tag;
    this.varint(this.length());
  }

  string(tag: number, text: string): void {
    this.bytes[this.position++] = tag;
    const length = this.length();
    this.varint(length);
    if (length === text.length && length < SHORT) {
      const { bytes, position } = this;
      for (let i = 0; i < length; i++) bytes[position + i] = text.charCodeAt(i);
      this.position = position + length;
    } else {
      this.position += this.bytes.write(text, this.position, length, length === text.length ? 'latin1' : 'utf8');
    }
  }

  raw(tag: number, content: Uint8Array): void {
    this.bytes[this.position++] = tag;
    this.varint(content.length);
    this.bytes.set(content, this.position);
    this.position += content.length;
  }

  /** A trace or span id, given in hex. */
  id(tag: number, hex: string): void {
    this.bytes[this.position++] = tag;
    this.bytes[this.position++] = hex.length / 2;
    this.position += this.bytes.write(hex, this.position, hex.length / 2, 'hex');
  }
}
