import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../agent/abi.gen.ts';
import { FilterTable } from '../../../agent/policy/filter.ts';

let memory: Buffer;
let table: FilterTable;
beforeEach(() => {
  memory = Buffer.alloc(limits.FILTER_BYTES);
  table = new FilterTable(memory);
});
const filter = (bytes: number, byte = 1) => Buffer.alloc(bytes, byte);

describe('FilterTable', () => {
  it('writes filters side by side, none at place 0, and leaves those in use alone', () => {
    const first = table.place(filter(64, 1));
    const second = table.place(filter(128, 2));
    expect([first, second, table.place(filter(64, 3))]).toEqual([64, 128, 256]);
    expect(memory.subarray(0, 384)).toEqual(
      Buffer.concat([filter(64, 0), filter(64, 1), filter(128, 2), filter(64, 3), filter(64, 0)]),
    );
  });

  it('goes without where there is no room, and uses again what was released', () => {
    const half = filter(limits.FILTER_BYTES / 2);
    const place = table.place(half);
    expect(place).toBe(64);
    expect(table.place(half)).toBe(0);
    expect(table.place(filter(limits.FILTER_BYTES / 2 - 64))).not.toBe(0);
    expect(table.place(filter(64))).toBe(0);
    table.release(place);
    expect(table.place(filter(128))).toBe(64);
    expect(table.place(half)).toBe(0);
  });

  it('leaves alone what a predecessor wrote', () => {
    table.hold(64, 64);
    table.hold(192, 128);
    expect([table.place(filter(64)), table.place(filter(128))]).toEqual([128, 320]);
  });

  it('a set without a filter has nothing to release', () => {
    table.release(0);
    expect(table.place(filter(limits.FILTER_BYTES))).toBe(0);
    expect(table.place(filter(64))).toBe(64);
  });
});
