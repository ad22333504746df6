import { alphabetOf } from './alphabet.ts';
import { maxWords, wordsOfRow } from './bounds.ts';
import type { Tail } from './chain.ts';
import type { MadePart } from './table.ts';

/**
 * The second form: all chains side by side, a bit for each state, which never blows up: reading c makes
 * `D = (D << 1 & step[c]) | (D & loop[c])`. Undefined: the bits are too many.
 */
export function makeBits(tails: readonly Tail[], labels: readonly number[]): MadePart | undefined {
  const count = tails.reduce((sum, { chain }) => sum + chain.loop.length, 0);
  const size = Math.ceil(count / 64 / wordsOfRow) * wordsOfRow;
  if (size > maxWords) return undefined;
  const start = new BitRow(maxWords);
  const accept = [new BitRow(maxWords), new BitRow(maxWords)] as const;
  const acceptIds = new Uint16Array(count);
  const accepts: number[][] = [];
  const ids = new Map<number, number>();
  let base = 0;
  for (const [t, tail] of tails.entries()) {
    const { loop, boundary } = tail.chain;
    const last = base + loop.length - 1;
    for (const state of tail.start) start.set(base + state);
    if (!boundary.at(-1)) accept[0].set(last);
    accept[1].set(last);
    const label = labels[t] as number;
    let id = ids.get(label);
    if (id === undefined) {
      accepts.push([label]);
      id = accepts.length;
      ids.set(label, id);
    }
    acceptIds[last] = id;
    base = last + 1;
  }

  const rows = makeRows(tails, size);
  if (rows === undefined) return undefined;
  const words = new BigUint64Array([...start.words, ...accept[0].words, ...accept[1].words]);
  const content = { form: 'bits', size, ...rows, words, accept: acceptIds } as const;
  return { content, accepts, states: count };
}

interface Rows {
  classes: number;
  classOf: Uint8Array;
  rows: BigUint64Array;
}

/** The masks of each byte, behind a slash and elsewhere; equal ones once. */
function makeRows(tails: readonly Tail[], size: number): Rows | undefined {
  const alphabet = alphabetOf(tails.flatMap(({ chain }) => [...chain.loop, ...chain.step]));
  const rows: bigint[] = [];
  const known = new Map<string, number>();
  const classOf = new Uint8Array(512);
  for (const behindSlash of [false, true]) {
    const classes = alphabet.byteOf.map((byte) => {
      const row = maskRow(tails, size, byte, behindSlash);
      const key = row.join();
      const number = known.get(key) ?? known.size;
      if (number === known.size) rows.push(...row);
      known.set(key, number);
      return number;
    });
    for (let byte = 0; byte < 256; byte++)
      classOf[byte + (behindSlash ? 256 : 0)] = classes[alphabet.classOf[byte] as number] as number;
  }
  return known.size > 256 ? undefined : { classes: known.size, classOf, rows: BigUint64Array.from(rows) };
}

function maskRow(tails: readonly Tail[], size: number, byte: number, behindSlash: boolean): bigint[] {
  const steps = new BitRow(size);
  const loops = new BitRow(size);
  let bit = 0;
  for (const { chain } of tails) {
    for (const [state, loop] of chain.loop.entries()) {
      if (loop.has[byte]) loops.set(bit);
      const before = state - 1;
      if (chain.step[before]?.has[byte] && (behindSlash || !chain.boundary[before])) steps.set(bit);
      bit++;
    }
  }
  return Array.from(steps.words).flatMap((word, i) => [word, loops.words[i] as bigint]);
}

class BitRow {
  readonly words: BigUint64Array;

  constructor(size: number) {
    this.words = new BigUint64Array(size);
  }

  set(bit: number): void {
    const word = bit >> 6;
    this.words[word] = (this.words[word] ?? 0n) | (1n << BigInt(bit & 63));
  }
}
