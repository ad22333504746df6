import { limits } from '../../abi.gen.ts';

/**
 * States of one table: sets of 4,000 states are promised, and a pattern of 4,095 bytes is to fit by itself. A table of that size
 * with the forty classes of ordinary names takes a tenth of the arena.
 */
export const maxStates = 4_352;

/** Words of 64 states of one part in bits. */
export const maxWords = limits.MAX_WORDS;

/** Words come in rows of as many. */
export const wordsOfRow = limits.ROW_WORDS;

/** Tables and bit rows into which the patterns of one directory may be split: the kernel runs one after the other. */
export const maxParts = limits.MAX_PARTS;

/** States of the patterns of one directory, before anything is made of them: memory of the agent. */
export const maxPositions = 1 << 20;

/** Steps that making tables may take before bit rows are taken instead; a second of work. A hostile pattern ends here. */
export class Budget {
  left: number;

  constructor(steps = 30_000_000) {
    this.left = steps;
  }
}
