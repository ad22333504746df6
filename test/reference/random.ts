/** Random choices that a seed repeats (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below `bound`. */
  integer(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  between(least: number, most: number): number {
    return least + this.integer(most - least + 1);
  }

  /** True in `percent` of all cases. */
  chance(percent: number): boolean {
    return this.integer(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[this.integer(list.length)] as T;
  }

  /** One of the keys, as often as its value says. */
  weighted<K extends string>(weights: { readonly [key in K]?: number }): K {
    const pairs = Object.entries(weights) as [K, number][];
    let at = this.integer(pairs.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [key, weight] of pairs) {
      if (at < weight) return key;
      at -= weight;
    }
    throw new Error('no weights');
  }

  list<T>(length: number, make: (index: number) => T): T[] {
    return Array.from({ length }, (_, index) => make(index));
  }

  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(this.integer(left.length), 1)[0] as T);
  }
}
