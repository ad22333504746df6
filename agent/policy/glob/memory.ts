import { createHash } from 'node:crypto';
import { type Automaton, makeAutomaton } from './automaton.ts';
import type { Budget } from './bounds.ts';
import type { Tail } from './chain.ts';

interface Remembered {
  automaton: Automaton;
  /** Steps of a budget that it took. */
  steps: number;
}

/**
 * Automata that were made before, the latest ones up to a number of bytes: the workloads of a node mostly have the same few sets of
 * patterns. What is remembered takes as much of a budget as it took to make, so the outcome is the same with and without.
 */
export class AutomatonMemory {
  readonly #most: number;
  readonly #known = new Map<string, Remembered>();
  #bytes = 0;

  constructor(bytes: number) {
    this.#most = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** As `makeAutomaton`. */
  make(tails: readonly Tail[], labels: readonly number[], budget: Budget): Automaton {
    const digest = createHash('sha256');
    for (const [i, { key }] of tails.entries()) digest.update(`${labels[i]} ${key}\n`);
    const key = digest.digest('base64');
    const known = this.#known.get(key);
    if (known !== undefined && known.steps <= budget.left) {
      budget.left -= known.steps;
      this.#known.delete(key); // and again as the latest
      this.#known.set(key, known);
      return known.automaton;
    }
    const before = budget.left;
    const automaton = makeAutomaton(tails, labels, budget);
    if (known === undefined && budget.left >= 0) this.#remember(key, { automaton, steps: before - budget.left });
    return automaton;
  }

  #remember(key: string, made: Remembered): void {
    this.#known.set(key, made);
    this.#bytes += made.automaton.bytes.length;
    for (const [oldest, { automaton }] of this.#known) {
      if (this.#bytes <= this.#most) break;
      this.#known.delete(oldest);
      this.#bytes -= automaton.bytes.length;
    }
  }
}
