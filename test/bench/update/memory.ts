import { execFileSync } from 'node:child_process';
import type { Engine } from '../../../agent/kernel/engine.ts';

/** Bytes that the kernel holds for the rules of each rule set that is loaded. */
export function rulesMemory(engine: Engine): number[] {
  const rules = engine.map('picket_rules');
  const found: number[] = [];
  for (let index = 1; index < 64; index++) {
    const id = rules.lookup(new Uint8Array(new Uint32Array([index]).buffer));
    if (id === undefined) continue;
    const number = new DataView(id.buffer, id.byteOffset).getUint32(0, true);
    const shown = execFileSync('bpftool', ['-j', 'map', 'show', 'id', String(number)], { encoding: 'utf8' });
    found.push(Number(JSON.parse(shown).bytes_memlock));
  }
  return found;
}
