import { describe, expect, it } from 'vitest';
import { type BpfMap, createMap, mapFlags, mapTypes } from '../../../agent/kernel/map.ts';
import { MappedArray, pageBytes } from '../../../agent/kernel/memory.ts';
import { openObject } from '../../../agent/kernel/object.ts';
import { compileBpf, missingForKernel, named } from './compile.ts';
import { runProgram } from './run.ts';

const u32 = (...values: number[]) => new Uint8Array(new Uint32Array(values).buffer);
const u64 = (...values: bigint[]) => new Uint8Array(new BigUint64Array(values).buffer);
const hash = (maxEntries: number) =>
  createMap({ name: 'test', type: mapTypes.hash, keyBytes: 4, valueBytes: 8, maxEntries, flags: mapFlags.noPrealloc });
const keysOf = (map: BpfMap) =>
  [...map.keys()].map((key) => new DataView(key.buffer).getUint32(0, true)).sort((a, b) => a - b);

describe.skipIf(missingForKernel)(named('BpfMap', missingForKernel), () => {
  it('update(), lookup() and delete() agree', () => {
    using map = hash(8);
    expect(map.lookup(u32(1))).toBeUndefined();
    map.update(u32(1), u64(7n));
    expect(map.lookup(u32(1))).toEqual(u64(7n));
    map.update(u32(1), u64(8n));
    expect(map.lookup(u32(1))).toEqual(u64(8n));
    expect(map.delete(u32(1))).toBe(true);
    expect(map.delete(u32(1))).toBe(false);
    expect(map.lookup(u32(1))).toBeUndefined();
  });

  it('update() with create and replace holds the kernel to it', () => {
    using map = hash(8);
    expect(() => map.update(u32(1), u64(1n), 'replace')).toThrow(expect.objectContaining({ code: 'not-found' }));
    map.update(u32(1), u64(1n), 'create');
    expect(() => map.update(u32(1), u64(2n), 'create')).toThrow(/update in map test: .*EEXIST/);
    map.update(u32(1), u64(3n), 'replace');
    expect(map.lookup(u32(1))).toEqual(u64(3n));
  });

  it('update() of a full map throws `full`', () => {
    using map = hash(2);
    map.update(u32(1), u64(1n));
    map.update(u32(2), u64(1n));
    expect(() => map.update(u32(3), u64(1n))).toThrow(expect.objectContaining({ code: 'full', retry: true }));
  });

  it.each([
    ['a short key', (map: BpfMap) => map.lookup(new Uint8Array(3))],
    ['a long key', (map: BpfMap) => map.delete(new Uint8Array(5))],
    ['a short value', (map: BpfMap) => map.update(u32(1), new Uint8Array(7))],
    ['a short buffer', (map: BpfMap) => map.lookupInto(u32(1), new Uint8Array(7))],
    ['too few values', (map: BpfMap) => map.updateBatch(new Uint8Array(8), new Uint8Array(8), 2)],
  ])('refuses %s before the kernel reads past it', (_, use) => {
    using map = hash(8);
    expect(() => use(map)).toThrow(/map test: .* has \d+ bytes, \d+ are needed/);
  });

  it('updateBatch() writes every element at once', () => {
    using map = hash(2000);
    const keys = u32(...Array.from({ length: 2000 }, (_, index) => index));
    const values = u64(...Array.from({ length: 2000 }, (_, index) => BigInt(index) * 3n));
    map.updateBatch(keys, values, 2000);
    expect(keysOf(map)).toHaveLength(2000);
    expect(map.lookup(u32(1999))).toEqual(u64(5997n));
    map.updateBatch(new Uint8Array(0), new Uint8Array(0), 0);
  });

  it('updateBatch() tells how many elements fitted', () => {
    using map = hash(3);
    expect(() => map.updateBatch(u32(1, 2, 3, 4, 5), u64(1n, 2n, 3n, 4n, 5n), 5)).toThrow(
      /E2BIG.*after 3 of 5 elements/,
    );
    expect(keysOf(map)).toEqual([1, 2, 3]);
  });

  it('keys() and entries() give every element, none in an empty map', () => {
    using map = hash(100);
    expect([...map.keys()]).toEqual([]);
    for (let key = 0; key < 100; key++) map.update(u32(key), u64(BigInt(key) + 1n));
    expect(keysOf(map)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    const sum = [...map.entries()].reduce(
      (total, [, value]) => total + new DataView(value.buffer).getBigUint64(0, true),
      0n,
    );
    expect(sum).toBe(5050n);
  });

  it('keys() survives the deletion of each key it hands out', () => {
    using map = hash(100);
    for (let key = 0; key < 100; key++) map.update(u32(key), u64(0n));
    let count = 0;
    for (const key of map.keys()) if (map.delete(key)) count++;
    expect(count).toBe(100);
    expect([...map.keys()]).toEqual([]);
  });

  it('is closed for good after close', () => {
    const map = hash(1);
    map.close();
    map.close();
    expect(() => map.lookup(u32(1))).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});

describe.skipIf(missingForKernel)(named('maps of a loaded object', missingForKernel), () => {
  const file = missingForKernel
    ? new Uint8Array(0)
    : compileBpf(`
      #include <linux/bpf.h>
      #include <bpf/bpf_helpers.h>
      char LICENSE[] SEC("license") = "GPL";
      struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
      struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __uint(key_size, 8); __uint(value_size, 4); };
      struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 3); __type(key, __u32); __array(values, struct inner); } outer SEC(".maps");
      struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 700); __uint(map_flags, BPF_F_MMAPABLE); __type(key, __u32); __uint(value_size, 20); } slots SEC(".maps");
      SEC("syscall") int add(__u32 *context) {
        __u32 key = context[0];
        __u64 *counter = bpf_map_lookup_elem(&counters, &key);
        if (counter) *counter += context[1];
        return 0;
      }
      SEC("syscall") int look(__u32 *context) {
        __u32 index = context[0];
        __u64 key = context[1];
        void *inner = bpf_map_lookup_elem(&outer, &index);
        __u32 *value = inner ? bpf_map_lookup_elem(inner, &key) : 0;
        return value ? *value : -1;
      }
      SEC("syscall") int word(__u32 *context) {
        __u32 index = context[0];
        __u32 *slot = bpf_map_lookup_elem(&slots, &index);
        return slot ? slot[2] - slot[3] : -1;
      }`);

  const load = () => {
    const object = openObject(file, 'test');
    object.load();
    return object;
  };

  it('sumPerCpu() adds up what the programs counted', () => {
    using object = load();
    for (let i = 0; i < 10; i++) runProgram(object, 'add', [2, 5]);
    const counters = object.map('counters');
    expect(counters.sumPerCpu(u32(2))).toEqual([50n]);
    expect(counters.sumPerCpu(u32(1))).toEqual([0n]);
    expect(counters.sumPerCpu(u32(4))).toBeUndefined();
    expect(counters.lookup(u32(2))?.byteLength).toBe(counters.lookupBytes);
  });

  it('createInner() and updateInner() put a rule table in force that the program finds', () => {
    using object = load();
    expect(runProgram(object, 'look', [1, 9])).toBe(-1);
    {
      using inner = object.createInner('outer', 50);
      for (let key = 0n; key < 50n; key++) inner.update(u64(key), u32(Number(key) + 100));
      object.map('outer').updateInner(u32(1), inner);
    }
    expect(runProgram(object, 'look', [1, 9])).toBe(109);
    expect(runProgram(object, 'look', [2, 9])).toBe(-1);
    expect(object.map('outer').lookup(u32(1))).toHaveLength(4);
    expect(() => object.createInner('slots', 1)).toThrow(/no map of maps/);
  });

  it('MappedArray shares its words with the program and with lookup()', () => {
    using object = load();
    using slots = new MappedArray(object.map('slots'));
    expect(slots.stride).toBe(24);
    slots.store(699, 8, (7n << 32n) | 107n);
    expect(runProgram(object, 'word', [699])).toBe(100);
    expect(slots.load(699, 8)).toBe((7n << 32n) | 107n);
    slots.element(3).set([1, 2, 3]);
    expect(object.map('slots').lookup(u32(3))?.slice(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
    expect(slots.bytes.byteLength).toBe(700 * 24);
  });

  it.each([
    [0, 4],
    [0, 24],
    [0, -8],
    [700, 0],
  ])('MappedArray refuses the word of element %i at offset %i', (index, offset) => {
    using object = load();
    using slots = new MappedArray(object.map('slots'));
    expect(() => slots.store(index, offset, 1n)).toThrow(RangeError);
  });

  it('MappedArray is empty after close, not a hole in memory', () => {
    using object = load();
    const slots = new MappedArray(object.map('slots'));
    const { bytes, words } = slots;
    slots[Symbol.dispose]();
    slots[Symbol.dispose]();
    expect(bytes[0]).toBeUndefined();
    words[0] = 1n;
    expect(words.length).toBe(0);
    expect(() => slots.load(0, 0)).toThrow(RangeError);
  });

  it('MappedArray says why another map cannot be mapped', () => {
    using map = hash(1);
    expect(() => new MappedArray(map)).toThrow(/map test cannot be mapped: it was made without BPF_F_MMAPABLE/);
    expect(pageBytes()).toBeGreaterThanOrEqual(4096);
  });
});
