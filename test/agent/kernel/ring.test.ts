import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createMap, mapTypes } from '../../../agent/kernel/map.ts';
import { pageBytes } from '../../../agent/kernel/memory.ts';
import { openObject } from '../../../agent/kernel/object.ts';
import { type RingMemory, RingReader } from '../../../agent/kernel/ring.ts';
import { compileBpf, missingForKernel, named } from './compile.ts';
import { runProgram } from './run.ts';

const ringBytes = 65536;
const busy = 0x8000_0000;
const discarded = 0x4000_0000;

/** A ring in a file instead of the kernel: positions, busy and broken records can be set at will. */
class FileRing implements Disposable {
  readonly bytes = 4 * pageBytes();
  readonly fd: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'picket-ring-'));
  #produced = 0;

  constructor(position = 0) {
    this.fd = openSync(join(this.#folder, 'ring'), 'w+');
    ftruncateSync(this.fd, 2 * pageBytes() + 2 * this.bytes);
    this.#produced = position;
    this.#write64(0, position);
    this.#write64(pageBytes(), position);
  }

  get source() {
    return { name: 'file', fd: this.fd, bytes: this.bytes };
  }

  /** Writes a record whose header may lie; both halves of the data area show it, as the kernel's double mapping does. */
  put(content: Uint8Array, header = content.byteLength, length = content.byteLength): void {
    const record = Buffer.alloc(8 + content.byteLength);
    record.writeUInt32LE(header >>> 0, 0);
    record.set(content, 8);
    for (let i = 0; i < record.length; i++) {
      const at = (this.#produced + i) % this.bytes;
      for (const half of [0, this.bytes]) writeSync(this.fd, record, i, 1, 2 * pageBytes() + half + at);
    }
    this.#produced += 8 + Math.ceil(length / 8) * 8;
    this.#write64(pageBytes(), this.#produced);
  }

  #write64(at: number, value: number): void {
    writeSync(this.fd, new BigUint64Array([BigInt(value)]), 0, 8, at);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const collect = (into: string[]) => (memory: RingMemory, offset: number, length: number) => {
  into.push(memory.bytes.toString('latin1', offset, offset + length));
};

describe.skipIf(missingForKernel)(named('RingReader over prepared memory', missingForKernel), () => {
  it('drain() stops at a busy record and goes on when it is finished', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    ring.put(Buffer.from('one'));
    ring.put(Buffer.from('two'), 3 | busy);
    ring.put(Buffer.from('three'));
    const seen: string[] = [];
    expect(reader.drain(collect(seen))).toBe(1);
    expect(reader.drain(collect(seen))).toBe(0);
    expect(reader.pendingBytes).toBe(32);
    writeSync(ring.fd, new Uint32Array([3]), 0, 4, 2 * pageBytes() + 16);
    expect(reader.drain(collect(seen))).toBe(2);
    expect(seen).toEqual(['one', 'two', 'three']);
    expect(reader.pendingBytes).toBe(0);
  });

  it('drain() passes over discarded records without handing or counting them', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    for (const [text, flag] of [
      ['a', 0],
      ['b', discarded],
      ['c', 0],
      ['d', discarded],
    ] as const)
      ring.put(Buffer.from(text), 1 | flag);
    const seen: string[] = [];
    expect(reader.drain(collect(seen))).toBe(2);
    expect(seen).toEqual(['a', 'c']);
    expect(reader.pendingBytes).toBe(0);
  });

  it('drain() hands over at most `max` and leaves the rest', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    for (let i = 0; i < 5; i++) ring.put(Buffer.from(`${i}`));
    const seen: string[] = [];
    expect(reader.drain(collect(seen), 2)).toBe(2);
    expect(reader.drain(collect(seen), 0)).toBe(0);
    expect(reader.drain(collect(seen), 10)).toBe(3);
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
  });

  it('drain() ends, however fast others write: what comes meanwhile is left for the next call', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    ring.put(Buffer.from('first'));
    const seen: string[] = [];
    const answer = (memory: RingMemory, offset: number, length: number): void => {
      collect(seen)(memory, offset, length);
      ring.put(Buffer.from(`after ${seen.length}`));
    };
    expect([reader.drain(answer), reader.drain(answer)]).toEqual([1, 1]);
    expect(seen).toEqual(['first', 'after 1']);
  });

  it('with holdsBack: what was read is there for the next reader until it is released', () => {
    using ring = new FileRing();
    for (const text of ['a', 'b', 'c']) ring.put(Buffer.from(text));
    const seen: string[] = [];
    {
      using first = new RingReader(ring.source, { holdsBack: true });
      first.drain(collect(seen), 1);
      const read = first.consumedPosition;
      first.drain(collect(seen));
      first.release(read);
      first.release(0); // never back
    }
    using next = new RingReader(ring.source, { holdsBack: true });
    next.drain(collect(seen));
    expect(seen).toEqual(['a', 'b', 'c', 'b', 'c']);
    next.release(next.consumedPosition + 8); // nor beyond what was read
    using last = new RingReader(ring.source);
    expect(last.drain(collect(seen))).toBe(2);
  });

  it('drain() reads on at positions beyond 32 bits, and a record across the end is one piece', () => {
    const size = 4 * pageBytes();
    using ring = new FileRing(2 ** 40 + size * 3 - 16);
    using reader = new RingReader(ring.source);
    const text = 'wraps around the end of the ring'.repeat(4);
    ring.put(Buffer.from(text));
    ring.put(Buffer.from('next'));
    const seen: string[] = [];
    expect(reader.drain(collect(seen))).toBe(2);
    expect(seen).toEqual([text, 'next']);
    expect(reader.consumedPosition).toBe(reader.producedPosition);
  });

  it.each([
    ['longer than what was written', 4096],
    ['longer than the ring', 0x3fff_ffff],
  ])('drain() refuses a header %s instead of reading past the memory', (_, header) => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    ring.put(Buffer.from('good'));
    ring.put(Buffer.from('bad'), header, 3);
    const seen: string[] = [];
    expect(() => reader.drain(collect(seen))).toThrow(/ring file is not what the kernel promises/);
    expect(seen).toEqual(['good']);
  });

  it('drain() counts a record whose handler throws as read', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    ring.put(Buffer.from('poison'));
    ring.put(Buffer.from('fine'));
    const refuse = () => {
      throw new Error('bad record');
    };
    expect(() => reader.drain(refuse)).toThrow('bad record');
    const seen: string[] = [];
    reader.drain(collect(seen));
    expect(seen).toEqual(['fine']);
  });

  it('drain() ends when the handler closes the reader; its memory is empty then, not gone', () => {
    using ring = new FileRing();
    const reader = new RingReader(ring.source);
    ring.put(Buffer.from('one'));
    ring.put(Buffer.from('two'));
    let kept: RingMemory | undefined;
    const close = (memory: RingMemory) => {
      kept = memory;
      reader[Symbol.dispose]();
    };
    expect(reader.drain(close)).toBe(1);
    expect(kept?.bytes.length).toBe(0);
    expect(() => kept?.view.getUint8(0)).toThrow(TypeError);
    expect(() => reader.drain(close)).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(() => reader.pendingBytes).toThrow(expect.objectContaining({ code: 'closed' }));
    reader[Symbol.dispose]();
  });

  it('drain() refuses to be called from its own handler', () => {
    using ring = new FileRing();
    using reader = new RingReader(ring.source);
    ring.put(Buffer.from('one'));
    expect(() => reader.drain(() => void reader.drain(() => {}))).toThrow(/drained from within its own handler/);
  });

  it.each([0, 1000, 3 * 4096])('refuses a ring of %i bytes', (bytes) => {
    using ring = new FileRing();
    expect(() => new RingReader({ ...ring.source, bytes })).toThrow(/no power of two/);
  });

  it('refuses a map that is no ring', () => {
    using map = createMap({ name: 'table', type: mapTypes.array, keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0 });
    expect(() => new RingReader(map)).toThrow(/map table is no ring/);
  });
});

describe.skipIf(missingForKernel)(named('RingReader over a kernel ring', missingForKernel), () => {
  const file = missingForKernel
    ? new Uint8Array(0)
    : compileBpf(`
      #include <linux/bpf.h>
      #include <bpf/bpf_helpers.h>
      char LICENSE[] SEC("license") = "GPL";
      struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, ${ringBytes}); } ring SEC(".maps");
      struct record { __u32 number; __u32 size; __u8 bytes[4096]; };
      struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct record); } scratch SEC(".maps");
      struct state { __u32 first, beyond, step, fitted; };
      static long produce_one(__u32 i, struct state *state) {
        __u32 zero = 0;
        struct record *record = bpf_map_lookup_elem(&scratch, &zero);
        __u64 size = state->beyond + i * state->step;
        if (!record) return 1;
        asm volatile("%[size] &= 2047\\n%[size] += 8" : [size] "+r"(size)); /* the verifier sees the bound */
        record->number = state->first + i;
        record->size = size;
        record->bytes[(size - 9) & 4095] = size & 0xff; /* of a record without bytes: far behind its end */
        if (bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP)) return 1;
        state->fitted++;
        return 0;
      }
      /* context: first number, how many, bytes beyond 8, how many more each time; returns how many fitted */
      SEC("syscall") int produce(__u32 *context) {
        struct state state = { context[0], context[2], context[3], 0 };
        bpf_loop(context[1], produce_one, &state, 0);
        return state.fitted;
      }
      SEC("syscall") int discard(__u32 *context) {
        void *record = bpf_ringbuf_reserve(&ring, 16, 0);
        if (!record) return -1;
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return 0;
      }`);

  const load = () => {
    const object = openObject(file, 'test');
    object.load();
    return object;
  };

  /** Checks every record against what the program wrote, and returns the numbers. */
  const check = (numbers: number[]) => (memory: RingMemory, offset: number, length: number) => {
    const size = memory.view.getUint32(offset + 4, true);
    if (size !== length) throw new Error(`record of ${length} bytes says ${size}`);
    if (length > 8 && memory.bytes[offset + length - 1] !== (length & 0xff)) throw new Error('the last byte is wrong');
    numbers.push(memory.view.getUint32(offset, true));
  };

  it('gives records of every size in order over many turns of the ring', () => {
    using object = load();
    using reader = new RingReader(object.map('ring'));
    const numbers: number[] = [];
    let produced = 0;
    for (let round = 0; round < 200; round++) {
      produced += runProgram(object, 'produce', [produced, 20, round * 17, 13]);
      reader.drain(check(numbers));
    }
    expect(produced).toBe(4000);
    expect(numbers).toEqual(Array.from({ length: 4000 }, (_, index) => index));
    expect(reader.consumedPosition).toBeGreaterThan(10 * ringBytes);
  });

  it('gives all that fitted into a full ring, and makes room by reading', () => {
    using object = load();
    using reader = new RingReader(object.map('ring'));
    const numbers: number[] = [];
    const fitted = runProgram(object, 'produce', [0, 4096, 92, 0]);
    // 8 bytes of header and 100 of record, rounded up; the kernel leaves no more than one record's room unused
    expect(fitted).toBe(Math.floor((ringBytes - 1) / 112));
    expect(runProgram(object, 'produce', [fitted, 1, 92, 0])).toBe(0);
    expect(reader.pendingBytes).toBe(fitted * 112);
    expect(reader.drain(check(numbers), 1)).toBe(1);
    expect(runProgram(object, 'produce', [fitted, 2, 92, 0])).toBe(1);
    reader.drain(check(numbers));
    expect(numbers).toEqual(Array.from({ length: fitted + 1 }, (_, index) => index));
    expect(runProgram(object, 'produce', [0, 4096, 92, 0])).toBe(fitted);
  });

  it('passes over records that the program discarded', () => {
    using object = load();
    using reader = new RingReader(object.map('ring'));
    const numbers: number[] = [];
    runProgram(object, 'discard', [0]);
    runProgram(object, 'produce', [5, 1, 0, 0]);
    runProgram(object, 'discard', [0]);
    expect(reader.drain(check(numbers))).toBe(1);
    expect(numbers).toEqual([5]);
    expect(reader.pendingBytes).toBe(0);
  });

  it('goes on where an earlier reader stopped', () => {
    using object = load();
    const numbers: number[] = [];
    runProgram(object, 'produce', [0, 10, 0, 0]);
    {
      using first = new RingReader(object.map('ring'));
      first.drain(check(numbers), 4);
    }
    using second = new RingReader(object.map('ring'));
    second.drain(check(numbers));
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('loses and repeats nothing while another thread fills the ring', async () => {
    using object = load();
    using reader = new RingReader(object.map('ring'));
    const rounds = 200;
    const perRound = 256;
    const shared = new Int32Array(new SharedArrayBuffer(8)); // read so far, runs so far
    const fd = object.programFd('produce');
    const worker = new Worker(new URL('./ring-producer.ts', import.meta.url), {
      workerData: { fd, words: [0, perRound, 8, 3], rounds, enough: 2 * perRound, shared },
    });
    let ended = false;
    const exit = once(worker, 'exit').then(() => {
      ended = true;
    });
    const numbers: number[] = [];
    const handler = check(numbers);
    for (let idle = false; !ended || !idle; ) {
      idle = reader.drain(handler) === 0;
      Atomics.store(shared, 0, numbers.length);
      await delay(1);
    }
    await exit;
    // Each run numbers its records from 0 and stops when the ring is full: every run must appear as 0, 1, 2, ... without a gap.
    let runs = 0;
    let previous = Number.NaN;
    for (const number of numbers) {
      if (number === 0) runs++;
      else if (number !== previous + 1) throw new Error(`${number} came after ${previous}`);
      previous = number;
    }
    expect(runs).toBeGreaterThan(0);
    expect(runs).toBeLessThanOrEqual(Atomics.load(shared, 1));
    expect(numbers.length).toBeGreaterThan(perRound);
  });

  it('can be read by a worker that maps the descriptor itself and ends', async () => {
    using object = load();
    runProgram(object, 'produce', [0, 10, 0, 0]);
    const worker = new Worker(new URL('./ring-reader.ts', import.meta.url), {
      workerData: { name: 'ring', fd: object.map('ring').fd, bytes: ringBytes },
    });
    const [count] = await once(worker, 'message');
    expect(count).toBe(10);
    await once(worker, 'exit');
    runProgram(object, 'produce', [10, 1, 0, 0]);
    using reader = new RingReader(object.map('ring'));
    const numbers: number[] = [];
    reader.drain(check(numbers));
    expect(numbers).toEqual([10]);
  });
});
