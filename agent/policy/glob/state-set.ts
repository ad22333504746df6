/** A set of states, ascending, and whether the byte read last was a slash. */
export interface StateSet {
  readonly states: Int32Array;
  readonly behindSlash: boolean;
}

/** Sets of states with numbers, by a hash of their members: as keys of a Map they would be long texts. */
export class StateSets {
  readonly #sets: StateSet[] = [];
  /** By hash: the first number; then by number: the next one with the same hash. */
  readonly #byHash = new Map<number, number>();
  readonly #alike: number[] = [];

  get size(): number {
    return this.#sets.length;
  }

  at(number: number): StateSet {
    return this.#sets[number] as StateSet;
  }

  /** The number of an equal set, or the next free one for this one. */
  number(states: Int32Array, behindSlash: boolean): number {
    let hash = Number(behindSlash);
    for (const state of states) hash = Math.imul(hash ^ state, 0x01000193) + state;
    const first = this.#byHash.get(hash) ?? -1;
    for (let number = first; number >= 0; number = this.#alike[number] as number)
      if (isEqual(this.at(number), states, behindSlash)) return number;
    this.#byHash.set(hash, this.#sets.length);
    this.#alike.push(first);
    return this.#sets.push({ states, behindSlash }) - 1;
  }
}

function isEqual(set: StateSet, states: Int32Array, behindSlash: boolean): boolean {
  return (
    set.behindSlash === behindSlash &&
    set.states.length === states.length &&
    set.states.every((state, i) => state === states[i])
  );
}
