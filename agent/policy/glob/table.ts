import type { Budget } from './bounds.ts';
import type { Tail } from './chain.ts';
import { determine } from './determine.ts';
import { minimise } from './minimise.ts';
import type { PartContent } from './part.ts';

/** A part with what its accept ids stand for: by accept id less one, labels, ascending. */
export interface MadePart {
  content: PartContent;
  accepts: number[][];
  states: number;
}

/** The first form: a table of the minimal deterministic automaton. Undefined: it would be too large. */
export function makeTable(tails: readonly Tail[], labels: readonly number[], budget: Budget): MadePart | undefined {
  const full = determine(tails, labels, budget);
  if (full === undefined) return undefined;
  const { alphabet, next, accept } = minimise(full);
  const states = next.length;
  const classes = alphabet.byteOf.length;
  // A state that nothing leaves is an answer already: it goes behind the others and needs no row.
  const stays = next.map((row, state) => row.every((target) => target === state));
  const order = [...stays.keys()].sort((a, b) => Number(stays[a]) - Number(stays[b]) || a - b);
  const numbers = new Uint16Array(states);
  for (const [number, state] of order.entries()) numbers[state] = number;

  const size = stays.filter((stay) => !stay).length;
  const rows = new Uint16Array(size * classes);
  const accepts: number[][] = [];
  const ids = new Map([['', 0]]);
  const acceptIds = new Uint16Array(states);
  for (const [number, state] of order.entries()) {
    if (number < size)
      for (const [c, target] of (next[state] as Int32Array).entries())
        rows[number * classes + c] = numbers[target] as number;
    const key = accept[state] as string;
    let id = ids.get(key);
    if (id === undefined) {
      accepts.push(key.split(',').map(Number));
      id = accepts.length;
      ids.set(key, id);
    }
    acceptIds[number] = id;
  }
  const content: PartContent = {
    form: 'table',
    size,
    classes,
    classOf: alphabet.classOf,
    rows,
    words: new BigUint64Array(0),
    accept: acceptIds,
  };
  return { content, accepts, states };
}
