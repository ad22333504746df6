import { isUtf8 } from 'node:buffer';
import { OtlpError } from '../errors.ts';
import { BYTES, FIXED32, FIXED64, VARINT } from './writer.ts';

/** Messages inside one another that are followed: protobuf's own default. */
const MAX_DEPTH = 100;

/**
 * Reads protobuf without ever leaving the message it is in. Every broken byte ends in an OtlpError that names its
 * position; nothing is allocated by a length before that length has been found to fit.
 */
export class Reader {
  readonly #bytes: Buffer;
  #position = 0;
  #end: number;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  get position(): number {
    return this.#position;
  }

  more(): boolean {
    return this.#position < this.#end;
  }

  /** Field number and wire type as they lie on the wire: `field << 3 | type`. */
  tag(): number {
    const start = this.#position;
    const tag = this.#varint32(start, 'tag');
    const type = tag & 7;
    if (tag < 8 || (type !== VARINT && type !== FIXED64 && type !== BYTES && type !== FIXED32)) {
      throw new OtlpError('bad-tag', `Byte ${start}: a tag of field ${tag >>> 3} with wire type ${type}`);
    }
    return tag;
  }

  /** Enters the nested message that begins here; returns what `leave` needs. */
  enter(): number {
    const length = this.#length();
    if (++this.#depth > MAX_DEPTH) {
      throw new OtlpError('too-deep', `Byte ${this.#position}: messages nested deeper than ${MAX_DEPTH}`);
    }
    const outer = this.#end;
    this.#end = this.#position + length;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
    this.#depth--;
  }

  /**
   * Steps over a field that is not read. `known` has bit n set for each field n that the caller does read: such a field
   * comes here only with a wire type that is not its own.
   */
  skip(tag: number, known: number): void {
    const field = tag >>> 3;
    if (field < 32 && (known >>> field) & 1) {
      throw new OtlpError('wire-type', `Byte ${this.#position}: field ${field} with wire type ${tag & 7}`);
    }
    const type = tag & 7;
    if (type === VARINT) this.#skipVarint();
    else if (type === FIXED64) this.#advance(8);
    else if (type === FIXED32) this.#advance(4);
    else this.#advance(this.#length());
  }

  bool(): boolean {
    const value = this.int64();
    return value !== 0 && value !== 0n;
  }

  /** A uint32 or an enum: as protobuf prescribes, of a longer varint the lowest 32 bits count. */
  uint32(): number {
    const value = this.int64();
    return typeof value === 'number' && value >= 0 && value <= 0xffff_ffff
      ? value
      : Number(BigInt.asUintN(32, BigInt(value)));
  }

  /** A signed 64-bit integer, as a number where that is exact. */
  int64(): number | bigint {
    const start = this.#position;
    let value = 0;
    for (let scale = 1; this.#position < this.#end; scale *= 0x80) {
      const byte = this.#bytes[this.#position] as number;
      // Seven bytes hold 49 bits, exact in a number; what is longer is read again as a bigint.
      if (this.#position - start === 7) return this.#bigint(start);
      this.#position++;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw this.#truncated(start, 'varint');
  }

  #bigint(start: number): number | bigint {
    this.#position = start;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#position >= this.#end) throw this.#truncated(start, 'varint');
      const byte = this.#bytes[this.#position++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const signed = BigInt.asIntN(64, value);
        const number = Number(signed);
        return Number.isSafeInteger(number) ? number : signed;
      }
    }
    throw new OtlpError('bad-varint', `Byte ${start}: a varint of more than ten bytes`);
  }

  fixed64(): bigint {
    const start = this.#advance(8);
    return this.#bytes.readBigUInt64LE(start);
  }

  double(): number {
    const start = this.#advance(8);
    return this.#bytes.readDoubleLE(start);
  }

  fixed32(): number {
    const start = this.#advance(4);
    return this.#bytes.readUInt32LE(start);
  }

  /** A bytes field, as a copy that does not keep the whole request in memory. */
  content(): Uint8Array {
    const length = this.#length();
    const start = this.#advance(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** A trace id (`size` 16) or span id (8) in hex; '' when the sender left it empty, which OTLP allows. */
  id(size: number): string {
    const start = this.#skipId(size);
    return this.#bytes.toString('hex', start, this.#position);
  }

  string(): string {
    const start = this.#skipString();
    return start < 0
      ? this.#bytes.toString('latin1', ~start, this.#position)
      : this.#bytes.toString('utf8', start, this.#position);
  }

  /** Checks a string without making one. */
  checkString(): void {
    this.#skipString();
  }

  checkId(size: number): void {
    this.#skipId(size);
  }

  /** Start of the string that is stepped over; its complement when all of it is ASCII. */
  #skipString(): number {
    const length = this.#length();
    const start = this.#advance(length);
    const end = this.#position;
    if (length < 64) {
      let i = start;
      while (i < end && (this.#bytes[i] as number) < 0x80) i++;
      if (i === end) return ~start;
    }
    if (!isUtf8(this.#bytes.subarray(start, end))) {
      throw new OtlpError('bad-utf8', `Byte ${start}: a string of ${length} bytes is not UTF-8`);
    }
    return start;
  }

  #skipId(size: number): number {
    const length = this.#length();
    if (length !== size && length !== 0) {
      throw new OtlpError('bad-id', `Byte ${this.#position}: an id of ${length} bytes, allowed are ${size} or none`);
    }
    return this.#advance(length);
  }

  #length(): number {
    const start = this.#position;
    const length = this.#varint32(start, 'length');
    if (length > this.#end - this.#position) {
      throw new OtlpError('bad-length', `Byte ${start}: a length of ${length}, ${this.#end - this.#position} are left`);
    }
    return length;
  }

  /** Steps over `size` bytes and returns where they begin. */
  #advance(size: number): number {
    const start = this.#position;
    if (size > this.#end - start) throw this.#truncated(start, `field of ${size} bytes`);
    this.#position = start + size;
    return start;
  }

  #skipVarint(): void {
    const start = this.#position;
    while (this.#position < this.#end) {
      if ((this.#bytes[this.#position++] as number) < 0x80) return;
      if (this.#position - start === 10) {
        throw new OtlpError('bad-varint', `Byte ${start}: a varint of more than ten bytes`);
      }
    }
    throw this.#truncated(start, 'varint');
  }

  #varint32(start: number, what: string): number {
    let value = 0;
    for (let scale = 1; this.#position < this.#end; scale *= 0x80) {
      const byte = this.#bytes[this.#position++] as number;
      value += (byte & 0x7f) * scale;
      if (value > 0xffff_ffff || this.#position - start > 5) {
        throw new OtlpError('bad-varint', `Byte ${start}: a ${what} of more than 32 bits`);
      }
      if (byte < 0x80) return value;
    }
    throw this.#truncated(start, what);
  }

  #truncated(start: number, what: string): OtlpError {
    return new OtlpError('truncated', `Byte ${start}: the message ends inside a ${what}`);
  }
}
