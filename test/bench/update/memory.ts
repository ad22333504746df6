import { execFileSync } from 'node:child_process';
import { set as setLayout } from '../../../agent/abi.gen.ts';
import type { Engine } from '../../../agent/kernel/engine.ts';

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);

/** Bytes that the kernel holds for the rule sets that are loaded: rules, heads, filters and patterns. */
export function rulesMemory(engine: Engine): number {
  const rules = engine.map('picket_rules');
  let bytes = engine.arena.used;
  for (let index = 1; index < 64; index++) {
    const id = rules.lookup(u32(index));
    if (id === undefined) continue;
    const number = new DataView(id.buffer, id.byteOffset).getUint32(0, true);
    const shown = execFileSync('bpftool', ['-j', 'map', 'show', 'id', String(number)], { encoding: 'utf8' });
    const head = Buffer.from(engine.map('picket_sets').lookup(u32(index)) ?? []);
    const { filter, filter_shift: shift } = setLayout.fields;
    const hasFilter = head.readUInt32LE(filter.offset) !== 0;
    bytes += Number(JSON.parse(shown).bytes_memlock) + head.length;
    bytes += hasFilter ? 2 ** (64 - head.readUInt32LE(shift.offset)) / 8 : 0;
  }
  return bytes;
}
