import type { Dfa } from './dfa.ts';

/** The smallest automaton of the same language, its states numbered as a walk in breadth from the first one meets them. */
export function minimise(dfa: Dfa): Dfa {
  const blockOf = equivalent(dfa);
  const { alphabet, next, accept } = dfa;
  const numbers = new Map<number, number>([[blockOf[0] as number, 0]]);
  const members = [0]; // by new number: one of its old states
  const rows: Int32Array[] = [];
  for (let i = 0; i < members.length; i++)
    rows.push(
      (next[members[i] as number] as Int32Array).map((target) => {
        const block = blockOf[target] as number;
        let number = numbers.get(block);
        if (number === undefined) {
          number = members.length;
          numbers.set(block, number);
          members.push(target);
        }
        return number;
      }),
    );
  return { alphabet, next: rows, accept: members.map((state) => accept[state] as string) };
}

/**
 * Block of each state: equal for states that no text tells apart. Hopcroft's algorithm; Moore's simpler one takes minutes for a
 * pattern of thousands of bytes.
 */
function equivalent({ alphabet, next, accept }: Dfa): Int32Array {
  const states = next.length;
  const classes = alphabet.byteOf.length;
  const sources = predecessors(next, classes);
  const blocks = new Blocks(accept);
  const waiting = new Set<number>(blocks.starts.keys());
  for (const splitter of waiting) {
    waiting.delete(splitter);
    const members = blocks.members(splitter); // a copy: it may be split by itself
    for (let c = 0; c < classes; c++) {
      for (const target of members) {
        const from = target * classes + c;
        for (let i = sources.starts[from] as number; i < (sources.starts[from + 1] as number); i++)
          blocks.mark(sources.list[i] as number);
      }
      for (const [old, created] of blocks.split()) {
        // If the old one waits, both have to; else the smaller one is enough.
        if (waiting.has(old) || blocks.size(created) <= blocks.size(old)) waiting.add(created);
        else waiting.add(old);
      }
    }
  }
  return blocks.blockOf.subarray(0, states);
}

/** By target and class: the states that lead there, `list` from `starts[i]` to `starts[i + 1]`. */
function predecessors(next: readonly Int32Array[], classes: number): { starts: Int32Array; list: Int32Array } {
  const starts = new Int32Array(next.length * classes + 1);
  const each = (visit: (slot: number, state: number) => void): void => {
    for (const [state, row] of next.entries())
      for (let c = 0; c < classes; c++) visit((row[c] as number) * classes + c, state);
  };
  each((slot) => {
    starts[slot + 1] = (starts[slot + 1] as number) + 1;
  });
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  const free = starts.slice();
  const list = new Int32Array(next.length * classes);
  each((slot, state) => {
    const at = free[slot] as number;
    list[at] = state;
    free[slot] = at + 1;
  });
  return { starts, list };
}

/** A partition of the states that is only ever refined. */
class Blocks {
  readonly blockOf: Int32Array;
  readonly starts: number[] = [];
  readonly #ends: number[] = [];
  /** States, block after block; the marked ones of a block at its beginning. */
  readonly #order: Int32Array;
  readonly #place: Int32Array;
  readonly #marked: number[] = [];
  readonly #touched: number[] = [];

  /** States with equal keys are one block. */
  constructor(keys: readonly string[]) {
    const groups = new Map<string, number[]>();
    for (const [state, key] of keys.entries()) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [state]);
      else group.push(state);
    }
    this.#order = Int32Array.from([...groups.values()].flat());
    this.#place = new Int32Array(keys.length);
    for (const [place, state] of this.#order.entries()) this.#place[state] = place;
    this.blockOf = new Int32Array(keys.length);
    let at = 0;
    for (const group of groups.values()) {
      for (const state of group) this.blockOf[state] = this.starts.length;
      this.#add(at, at + group.length);
      at += group.length;
    }
  }

  size(block: number): number {
    return (this.#ends[block] as number) - (this.starts[block] as number);
  }

  members(block: number): Int32Array {
    return this.#order.slice(this.starts[block], this.#ends[block]);
  }

  mark(state: number): void {
    const block = this.blockOf[state] as number;
    const place = this.#place[state] as number;
    const marked = this.#marked[block] as number;
    const free = (this.starts[block] as number) + marked;
    if (place < free) return;
    if (marked === 0) this.#touched.push(block);
    const other = this.#order[free] as number;
    this.#order[free] = state;
    this.#place[state] = free;
    this.#order[place] = other;
    this.#place[other] = place;
    this.#marked[block] = marked + 1;
  }

  /** Parts the marked states of each block from the others, and forgets the marks. Pairs of old and new block. */
  split(): [old: number, created: number][] {
    const pairs: [number, number][] = [];
    for (const block of this.#touched) {
      const marked = this.#marked[block] as number;
      this.#marked[block] = 0;
      if (marked === this.size(block)) continue;
      const start = this.starts[block] as number;
      const created = this.#add(start, start + marked);
      this.starts[block] = start + marked;
      for (let i = start; i < start + marked; i++) this.blockOf[this.#order[i] as number] = created;
      pairs.push([block, created]);
    }
    this.#touched.length = 0;
    return pairs;
  }

  #add(start: number, end: number): number {
    this.#ends.push(end);
    this.#marked.push(0);
    return this.starts.push(start) - 1;
  }
}
