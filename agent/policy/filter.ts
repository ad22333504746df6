import { limits } from '../abi.gen.ts';

/** Places are multiples of it. */
const grain = 64;

/**
 * The memory in which the filters of rule sets stand (picket_filters in bpf/maps.h). What a set has is written in its head, so an agent
 * finds there what its predecessor left. A set for which there is no room goes without.
 */
export class FilterTable {
  readonly #memory: Uint8Array;
  /** By place: how many grains. Place 0 is nobody's. */
  readonly #held = new Map<number, number>();
  readonly #used = new Uint8Array(limits.FILTER_BYTES / grain).fill(1, 0, 1);
  #next = 1;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  /** Writes a filter, whose length is a multiple of 64 bytes; returns its place, 0 when there is no room. */
  place(filter: Buffer): number {
    const grains = filter.length / grain;
    const first = this.#find(grains);
    if (first === undefined) return 0;
    const at = first * grain;
    this.#memory.set(filter, at);
    this.hold(at, filter.length);
    this.#next = first + grains;
    return at;
  }

  /** What stands there already is in use. */
  hold(place: number, bytes: number): void {
    const grains = bytes / grain;
    this.#used.fill(1, place / grain, place / grain + grains);
    this.#held.set(place, grains);
  }

  /** No program reads it any more. */
  release(place: number): void {
    const grains = this.#held.get(place) ?? 0;
    this.#held.delete(place);
    this.#used.fill(0, place / grain, place / grain + grains);
  }

  /** From where the last one was put, once around. */
  #find(grains: number): number | undefined {
    for (const [from, to] of [
      [this.#next, this.#used.length],
      [1, this.#next],
    ] as const)
      for (let first = from, free = 0, at = from; at < to; at++) {
        free = this.#used[at] === 0 ? free + 1 : 0;
        if (free === 0) first = at + 1;
        if (free === grains) return first;
      }
    return undefined;
  }
}
