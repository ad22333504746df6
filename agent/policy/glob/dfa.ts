import type { Alphabet } from './alphabet.ts';

/** A deterministic automaton; state 0 is the first. */
export interface Dfa {
  readonly alphabet: Alphabet;
  /** By state, then class. */
  readonly next: readonly Int32Array[];
  /** By state: the labels that it accepts, ascending, joined by commas. */
  readonly accept: readonly string[];
}
