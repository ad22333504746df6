import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { decode, type EventRecord, RecordError } from '../../../agent/event/record.ts';
import { encodeEvent, eventOf, ringMemory } from './records.ts';

const u32 = fc.nat({ max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const text = fc.string({ unit: 'binary', maxLength: 300 }).map((value) => value.replaceAll('\0', '').toWellFormed());
const events: fc.Arbitrary<EventRecord> = fc.record({
  ...{ seq: u64, timeNs: u64, workload: u64, startNs: u64, parentStartNs: u64, rootStartNs: u64 },
  ...{ execSession: u64, pathHash: u64, details: fc.tuple(u64, u64, u64, u64) },
  ...{ kind: u32, flags: u32, pid: u32, tid: u32, ppid: u32, rootPid: u32, vpid: u32, vppid: u32, uid: u32 },
  ...{
    set: u32,
    generation: u32,
    outcome: u32,
    category: u32,
    operation: u32,
    backend: u32,
    syscall: u32,
    preset: u32,
  },
  result: fc.integer({ min: -4095, max: 0 }),
  tty: fc.stringMatching(/^[a-z0-9/]{0,15}$/),
  ...{ path: text, args: fc.array(text, { maxLength: 20 }), cwd: text, base: text },
});

describe('decode()', () => {
  it('gives back every field of a record, wherever it lies in the ring', () => {
    fc.assert(
      fc.property(events, fc.nat({ max: 40 }), (event, offset) => {
        const record = encodeEvent(event);
        expect(decode(ringMemory(record, offset, 8), offset, record.length)).toEqual(event);
      }),
    );
  });

  it('keeps empty arguments, first, in the middle and last', () => {
    const args = ['', 'a', '', 'b', ''];
    const record = encodeEvent(eventOf({ args }));
    expect(decode(ringMemory(record), 0, record.length).args).toEqual(args);
  });

  it('keeps what is there of a last argument without its zero byte', () => {
    const record = encodeEvent(eventOf({ args: ['sh', '-c', 'cut he'], cwd: '' }));
    record.writeUInt16LE(
      record.readUInt16LE(abi.event.fields.args_length.offset) - 1,
      abi.event.fields.args_length.offset,
    );
    expect(decode(ringMemory(record), 0, record.length - 1).args).toEqual(['sh', '-c', 'cut he']);
  });

  it('makes U+FFFD of bytes that are not UTF-8, and leaves the strings after them whole', () => {
    const record = encodeEvent(eventOf({ path: '/tmp/xx', args: ['a', 'bb'], cwd: '/home', base: '/b' }));
    record.set([0xff, 0xc3], abi.event.size + 5);
    const event = decode(ringMemory(record), 0, record.length);
    expect(event.path).toBe('/tmp/\ufffd\ufffd');
    expect([event.args, event.cwd, event.base]).toEqual([['a', 'bb'], '/home', '/b']);
  });

  it('ignores the padding behind the strings', () => {
    const record = encodeEvent(eventOf({ cwd: '/home' }));
    expect(decode(ringMemory(record, 0, 7), 0, record.length + 7)).toEqual(eventOf({ cwd: '/home' }));
  });

  it.each([0, 1, 8, abi.event.size - 1])('rejects a record of %i bytes, shorter than its fixed part', (length) => {
    const memory = ringMemory(encodeEvent(eventOf()), 0, 64);
    expect(() => decode(memory, 0, length)).toThrow(
      new RecordError(`a record of ${length} bytes; its fixed part has ${abi.event.size}`),
    );
  });

  it.each(['path_length', 'args_length', 'cwd_length', 'base_length'] as const)(
    'rejects a record whose %s reaches past its end',
    (field) => {
      const record = encodeEvent(eventOf({ path: '/a', args: ['b'], cwd: '/c', base: '/d' }));
      const { offset } = abi.event.fields[field];
      record.writeUInt16LE(record.readUInt16LE(offset) + 1, offset);
      expect(() => decode(ringMemory(record, 0, 64), 0, record.length)).toThrow(RecordError);
    },
  );

  it('takes any bytes whose lengths fit, and rejects all others', () => {
    const bytes = fc.uint8Array({ minLength: abi.event.size, maxLength: abi.event.size + 64 });
    const lengths = fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 40 }), fc.nat({ max: 40 }), fc.nat({ max: 40 }));
    fc.assert(
      fc.property(bytes, lengths, (random, sizes) => {
        const record = Buffer.from(random);
        for (const [i, size] of sizes.entries())
          record.writeUInt16LE(size, abi.event.fields.path_length.offset + 2 * i);
        const fits = abi.event.size + sizes.reduce((sum, size) => sum + size) <= record.length;
        const read = () => decode(ringMemory(record, 3, 200), 3, record.length);
        if (fits) expect(read().base.length).toBeLessThanOrEqual(sizes[3]);
        else expect(read).toThrow(RecordError);
      }),
    );
  });
});
