import { KernelError } from './error.ts';
import { type BpfMap, mapTypes, roundUp8 } from './map.ts';
import { Mapping, pageBytes } from './memory.ts';

const busyBit = 0x8000_0000;
const discardBit = 0x4000_0000;
const headerBytes = 8;

/** x86-64 does not reorder loads with loads nor stores with stores; other machines need acquire and release, which Atomics give. */
const ordered = process.arch === 'x64';

/** The ring's data, mapped twice in a row, so that a record which wraps around is still one piece. Read-only: writing is SIGSEGV. */
export interface RingMemory {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/**
 * Takes one record: `length` bytes from `offset` on. They belong to the kernel again when the handler returns; what is needed
 * later must be copied. No object is made per record.
 */
export type RecordHandler = (memory: RingMemory, offset: number, length: number) => void;

export interface RingSource {
  name: string;
  fd: number;
  /** Size of the data area, a power of two. */
  bytes: number;
}

/**
 * Reads a BPF ring buffer in place.
 *
 * ```
 * offset 0           consumer page: position u64                     read and written here
 * offset 1 page      producer page: position u64                     read only
 * offset 2 pages     data, then the same data again                  read only
 * record             u32 length | busy << 31 | discarded << 30, u32 page, bytes, up to a multiple of 8
 * ```
 * Positions count bytes since the ring was made. A busy record is still being written; those behind it wait. Nothing wakes the
 * reader: it is polled by a timer of the caller, which costs the traced processes nothing. Source: kernel/bpf/ringbuf.c.
 */
export class RingReader implements Disposable {
  readonly name: string;
  readonly #memory: RingMemory;
  readonly #headers: Uint32Array;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #consumerMapping: Mapping;
  readonly #producerMapping: Mapping;
  readonly #mask: number;
  readonly #publishEvery: number;
  /** What is read is given back by `release` alone. */
  readonly #holdsBack: boolean;
  #position: number; // exact up to 2^53 bytes: 100 days at 1 GB/s
  #draining = false;
  #open = true;

  /**
   * Takes a map of this process, or a descriptor of one; the descriptor may be closed afterwards. With `holdsBack` what was read
   * stays in the ring until it is released: it is there for the next reader when this one is killed before.
   */
  constructor(source: BpfMap | RingSource, { holdsBack = false } = {}) {
    this.#holdsBack = holdsBack;
    const { name, fd, bytes } = 'shape' in source ? toSource(source) : source;
    const page = pageBytes();
    if (bytes < page || (bytes & (bytes - 1)) !== 0)
      throw new KernelError('failed', `ring ${name}: ${bytes} bytes are no power of two of at least one page`);
    this.name = name;
    this.#mask = bytes - 1;
    this.#publishEvery = bytes / 8;
    using undo = new DisposableStack();
    this.#consumerMapping = undo.use(new Mapping(`consumer page of ring ${name}`, fd, 0, page, true));
    this.#producerMapping = undo.use(new Mapping(`data of ring ${name}`, fd, page, page + 2 * bytes, false));
    undo.move();
    const { buffer } = this.#producerMapping;
    this.#consumer = new BigUint64Array(this.#consumerMapping.buffer, 0, 1);
    this.#producer = new BigUint64Array(buffer, 0, 1);
    this.#headers = new Uint32Array(buffer, page, (2 * bytes) / 4);
    this.#memory = { bytes: Buffer.from(buffer, page, 2 * bytes), view: new DataView(buffer, page, 2 * bytes) };
    this.#position = Number(this.#consumer[0]);
  }

  /** Bytes written and not yet read, headers included, records still busy too. */
  get pendingBytes(): number {
    this.#checkOpen();
    return this.#produced() - this.#position;
  }

  /** Bytes read since the ring was made. */
  get consumedPosition(): number {
    return this.#position;
  }

  /** Bytes written since the ring was made. All records up to here are read once `consumedPosition` has reached it. */
  get producedPosition(): number {
    this.#checkOpen();
    return this.#produced();
  }

  /**
   * Hands up to `max` finished records to the handler, oldest first, and gives their room back to the kernel (or holds it back).
   * What is written after the call began is left for the next one.
   *
   * A record counts as read once its handler was entered, also when that throws: a bad one must not come again for ever. Closing the
   * reader inside the handler ends the drain.
   *
   * @returns how many were handed over; fewer than `max` means that no more were finished when it began
   * @throws KernelError `failed` when a header contradicts the positions; whatever the handler throws
   */
  drain(handler: RecordHandler, max: number = Number.POSITIVE_INFINITY): number {
    this.#checkOpen();
    if (this.#draining) throw new KernelError('failed', `ring ${this.name} is drained from within its own handler`);
    this.#draining = true;
    let count = 0;
    try {
      const produced = this.#produced(); // once: whoever writes faster than we read must not keep us here for ever
      let published = this.#position;
      while (count < max && this.#position < produced) {
        const at = this.#position & this.#mask; // bit operations take the low 32 bits, whatever the number's size
        const header = this.#header(at);
        if ((header & busyBit) !== 0) break;
        const length = header & ~discardBit;
        const next = this.#position + headerBytes + roundUp8(length);
        if (next > produced || length > this.#mask) throw this.#broken(length, produced);
        this.#position = next;
        if ((header & discardBit) !== 0) continue;
        count++;
        handler(this.#memory, at + headerBytes, length);
        if (!this.#open) break;
        if (!this.#holdsBack && next - published >= this.#publishEvery) {
          this.#publish(next);
          published = next;
        }
      }
    } finally {
      this.#draining = false;
      if (this.#open && !this.#holdsBack) this.#publish(this.#position);
    }
    return count;
  }

  /** Gives back to the kernel what was read before a position that `consumedPosition` has told. */
  release(position: number): void {
    this.#checkOpen();
    if (position <= this.#position && position > Number(this.#consumer[0])) this.#publish(position);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#producerMapping[Symbol.dispose]();
    this.#consumerMapping[Symbol.dispose]();
  }

  #produced(): number {
    return Number(ordered ? this.#producer[0] : Atomics.load(this.#producer, 0));
  }

  #header(at: number): number {
    const header = ordered ? this.#headers[at / 4] : Atomics.load(this.#headers, at / 4);
    return header ?? busyBit;
  }

  #publish(read: number): void {
    const position = BigInt(read);
    if (ordered) this.#consumer[0] = position;
    else Atomics.store(this.#consumer, 0, position);
  }

  #checkOpen(): void {
    if (!this.#open) throw new KernelError('closed', `ring ${this.name} was used after it was closed`);
  }

  #broken(length: number, produced: number): KernelError {
    const found = `a record of ${length} bytes at ${this.#position}, with ${produced} written`;
    return new KernelError('failed', `ring ${this.name} is not what the kernel promises: ${found}`);
  }
}

function toSource(map: BpfMap): RingSource {
  if (map.shape.type !== mapTypes.ring) throw new KernelError('failed', `map ${map.shape.name} is no ring`);
  return { name: map.shape.name, fd: map.fd, bytes: map.shape.maxEntries };
}
