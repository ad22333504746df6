import { maxWords } from './bounds.ts';
import { type Part, partsOf } from './part.ts';

/**
 * What the kernel finds when it runs an automaton over a tail: the accept ids, ascending; none: no pattern matches. The tail are the
 * bytes of a path behind the automaton's directory and its slash.
 */
export function matchTail(automaton: Uint8Array, tail: Uint8Array): number[] {
  const found = new Set<number>();
  for (const part of partsOf(automaton))
    for (const id of part.form === 'table' ? runTable(part, tail) : runBits(part, tail)) found.add(id);
  return [...found].sort((a, b) => a - b);
}

function runTable({ size, classes, classOf, rows, accept }: Part, tail: Uint8Array): number[] {
  let state = 0;
  for (const byte of tail) {
    if (state >= size) break;
    state = rows.getUint16(2 * (state * classes + (classOf[byte] as number)), true);
  }
  const id = accept.getUint16(2 * state, true);
  return id === 0 ? [] : [id];
}

function runBits({ size, classOf, rows, words, accept }: Part, tail: Uint8Array): number[] {
  const word = (i: number) => words.getBigUint64(8 * i, true);
  const active = new BigUint64Array(size).map((_, i) => word(i));
  let behindSlash = true; // of the directory
  for (const byte of tail) {
    const row = (classOf[byte + (behindSlash ? 256 : 0)] as number) * size;
    let carry = 0n;
    for (const [i, before] of active.entries()) {
      const at = 16 * (row + i);
      active[i] = (((before << 1n) | carry) & rows.getBigUint64(at, true)) | (before & rows.getBigUint64(at + 8, true));
      carry = before >> 63n;
    }
    behindSlash = byte === 0x2f;
  }
  const ids: number[] = [];
  for (const [i, bits] of active.entries()) {
    const accepting = bits & word((behindSlash ? 2 : 1) * maxWords + i);
    for (let bit = 0; bit < 64; bit++)
      if ((accepting >> BigInt(bit)) & 1n) ids.push(accept.getUint16(2 * (64 * i + bit), true));
  }
  return ids;
}
