import { KernelError } from './error.ts';
import { call, type Handle, release, viewMemory } from './libbpf.ts';
import { type BpfMap, mapFlags, roundUp8 } from './map.ts';

const protRead = 1;
const protWrite = 2;
const mapShared = 1;

/**
 * A shared mapping of a file descriptor's memory. Closing detaches the buffer first: views made from it become empty, where the bare
 * munmap would leave them pointing at nothing (SIGSEGV).
 */
export class Mapping implements Disposable {
  readonly buffer: ArrayBuffer;
  readonly #address: Handle;
  readonly #bytes: number;
  #open = true;

  /** `bytes` and `offset` are multiples of the page. Writing into a mapping that is not `writable` ends the process. */
  constructor(what: string, fd: number, offset: number, bytes: number, writable: boolean) {
    const protection = writable ? protRead | protWrite : protRead;
    this.#address = call('mmap', `mapping ${what}`, null, bytes, protection, mapShared, fd, offset);
    this.#bytes = bytes;
    this.buffer = viewMemory(this.#address, bytes);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    release(this.buffer);
    call('munmap', 'unmapping', this.#address, this.#bytes);
  }
}

/**
 * The elements of an array map that was made with BPF_F_MMAPABLE, as memory shared with the kernel programs.
 *
 * An element begins at `index * stride` bytes; strides are multiples of 8, so every 64-bit field at a multiple of 8 can be changed
 * with one store that a program sees whole.
 */
export class MappedArray implements Disposable {
  readonly bytes: Uint8Array;
  readonly words: BigUint64Array;
  /** Bytes from one element to the next. */
  readonly stride: number;
  readonly #mapping: Mapping;

  constructor(map: BpfMap) {
    const { name, flags, maxEntries, valueBytes } = map.shape;
    if ((flags & mapFlags.mmapable) === 0)
      throw new KernelError('failed', `map ${name} cannot be mapped: it was made without BPF_F_MMAPABLE`);
    this.stride = roundUp8(valueBytes);
    const bytes = this.stride * maxEntries;
    const page = pageBytes();
    this.#mapping = new Mapping(`map ${name}`, map.fd, 0, Math.ceil(bytes / page) * page, true);
    this.bytes = new Uint8Array(this.#mapping.buffer, 0, bytes);
    this.words = new BigUint64Array(this.#mapping.buffer, 0, bytes / 8);
  }

  /** Stores 8 bytes at once: a program sees the old or the new word, never a mixture; earlier stores are seen before it. */
  store(index: number, offset: number, word: bigint): void {
    Atomics.store(this.words, this.#wordIndex(index, offset), word);
  }

  load(index: number, offset: number): bigint {
    return Atomics.load(this.words, this.#wordIndex(index, offset));
  }

  /** One element's bytes, shared with the kernel. */
  element(index: number): Uint8Array {
    return this.bytes.subarray(index * this.stride, (index + 1) * this.stride);
  }

  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }

  #wordIndex(index: number, offset: number): number {
    const at = index * this.stride + offset;
    if (offset < 0 || offset % 8 !== 0 || offset + 8 > this.stride || at + 8 > this.bytes.byteLength)
      throw new RangeError(`element ${index} has no aligned word at offset ${offset}`);
    return at / 8;
  }
}

/** 4096 on x86-64; 4096, 16384 or 65536 on arm64. */
export function pageBytes(): number {
  return call('getpagesize', 'asking for the page size');
}
