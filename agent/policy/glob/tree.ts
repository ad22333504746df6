import { type ByteSet, noByte } from './byte-set.ts';
import { coveredFrom, type Tail } from './chain.ts';

/**
 * The states of many chains, those of common beginnings once: a thousand patterns `*.EXT` are in one state at their star, not in a
 * thousand. A chain with states that stand for earlier ones shares nothing: that would hold for its own way on only.
 */
export class Tree {
  readonly #start: number[] = [];
  /** By state: whether it can be left, or accept, only behind a slash. */
  readonly boundary: number[] = [];
  /** By state: labels of the chains that end there. */
  readonly #labels: number[][] = [];
  readonly #children: number[][] = [];
  /** By state: the earlier one that need not be kept beside it, and all between; mostly itself. */
  readonly #covered: number[] = [];
  /** By state: where the classes of its sets begin in #has. */
  readonly #loop: number[] = [];
  readonly #step: number[] = [];
  /** By set, then class. */
  readonly #has: number[] = [];
  readonly #rows = new Map<string, number>();
  readonly #byteOf: readonly number[];

  constructor(tails: readonly Tail[], labels: readonly number[], byteOf: readonly number[]) {
    this.#byteOf = byteOf;
    const known = new Map<string, number>();
    for (const [t, tail] of tails.entries()) {
      const covered = coveredFrom(tail.chain);
      const shares = covered.every((first, state) => first === state);
      const first = this.#children.length;
      let parent = -1;
      for (const [state, loop] of tail.chain.loop.entries()) {
        const step = tail.chain.step[state - 1] ?? noByte;
        const starts = tail.start.includes(state);
        const boundary = Number(tail.chain.boundary[state]);
        const key = `${parent} ${step.key} ${loop.key} ${boundary} ${starts}`;
        let number = shares ? known.get(key) : undefined;
        if (number === undefined) {
          number = this.#add(parent, step, loop, boundary, shares ? undefined : first + (covered[state] as number));
          if (starts) this.#start.push(number);
          if (shares) known.set(key, number);
        }
        parent = number;
      }
      this.#labels[parent]?.push(labels[t] as number);
    }
  }

  /** The states before the first byte. */
  get first(): Int32Array {
    return this.#needed(this.#start);
  }

  /** The states after a byte of a class. */
  move(states: Int32Array, behindSlash: boolean, c: number): Int32Array {
    const moved: number[] = [];
    let last = -1;
    let ascending = true;
    const reach = (state: number): void => {
      if (state < last) ascending = false;
      if (state !== last) moved.push(state);
      last = state;
    };
    for (const state of states) {
      if (this.#has[(this.#loop[state] as number) + c]) reach(state);
      if (this.boundary[state] && !behindSlash) continue;
      for (const child of this.#children[state] as number[])
        if (this.#has[(this.#step[child] as number) + c]) reach(child);
    }
    return this.#needed(ascending ? moved : [...new Set(moved)].sort((a, b) => a - b));
  }

  /** Children looked at in a move: what it costs. */
  cost(states: Int32Array): number {
    return states.reduce((sum, state) => sum + 1 + (this.#children[state] as number[]).length, 1);
  }

  /** Without the states that another one stands for. Ascending, as given. */
  #needed(states: readonly number[]): Int32Array {
    const needed = new Int32Array(states.length);
    let at = states.length;
    let from = Number.POSITIVE_INFINITY;
    for (let i = states.length - 1; i >= 0; i--) {
      const state = states[i] as number;
      if (state >= from) continue;
      needed[--at] = state;
      const first = this.#covered[state] as number;
      from = first < state ? first : Number.POSITIVE_INFINITY;
    }
    return needed.subarray(at);
  }

  /** The labels of the chains that accept, ascending, joined by commas; empty: none does. */
  accepted(states: Int32Array, behindSlash: boolean): string {
    const labels = new Set<number>();
    for (const state of states)
      if (behindSlash || !this.boundary[state]) for (const label of this.#labels[state] as number[]) labels.add(label);
    return [...labels].sort((a, b) => a - b).join();
  }

  #add(parent: number, step: ByteSet, loop: ByteSet, boundary: number, covered: number | undefined): number {
    const number = this.#children.length;
    this.#children.push([]);
    this.#children[parent]?.push(number);
    this.#labels.push([]);
    this.#step.push(this.#row(step));
    this.#loop.push(this.#row(loop));
    this.boundary.push(boundary);
    this.#covered.push(covered ?? number);
    return number;
  }

  #row(set: ByteSet): number {
    let row = this.#rows.get(set.key);
    if (row === undefined) {
      row = this.#has.length;
      this.#rows.set(set.key, row);
      for (const byte of this.#byteOf) this.#has.push(set.has[byte] ?? 0);
    }
    return row;
  }
}
