import { createHash } from 'node:crypto';
import { makeBits } from './bits.ts';
import { type Budget, maxParts } from './bounds.ts';
import type { Tail } from './chain.ts';
import { encodePart, type Form } from './part.ts';
import { type MadePart, makeTable } from './table.ts';

/** What the kernel side runs to find which patterns of one directory match an object below it. */
export interface Automaton {
  /** As they stand in the arena, see part.ts. */
  readonly bytes: Buffer;
  /** Of the bytes. */
  readonly digest: string;
  /** `bits` when any part of it is. */
  readonly form: Form;
  /** Of all parts. */
  readonly states: number;
  readonly parts: number;
  /** By accept id: ids of the patterns that match then, ascending; none for 0. */
  readonly accepts: readonly (readonly number[])[];
}

/** The patterns named by these labels cannot be had. */
export class TooLarge extends Error {
  readonly labels: readonly number[];

  constructor(message: string, labels: readonly number[]) {
    super(message);
    this.labels = labels;
  }
}

/** Accepts are labels here. Equal tails and labels give equal bytes. Throws TooLarge. */
export function makeAutomaton(tails: readonly Tail[], labels: readonly number[], budget: Budget): Automaton {
  const parts = split(tails, labels, budget, maxParts);
  const accepts: number[][] = [[]];
  const buffers = parts.map(({ content, accepts: own }, i) => {
    const before = accepts.length - 1;
    accepts.push(...own);
    if (accepts.length > 0xffff) throw new TooLarge('the patterns match in too many combinations', labels);
    const accept = content.accept.map((id) => (id === 0 ? 0 : id + before));
    return encodePart({ ...content, accept }, i < parts.length - 1);
  });
  const bytes = Buffer.concat(buffers);
  return {
    bytes,
    digest: createHash('sha256').update(bytes).digest('hex'),
    form: parts.some(({ content }) => content.form === 'bits') ? 'bits' : 'table',
    states: parts.reduce((sum, { states }) => sum + states, 0),
    parts: parts.length,
    accepts,
  };
}

/**
 * One table if it is small enough, else one part in bits, else two halves, each by itself. The tails are sorted, so a half keeps what
 * begins alike together.
 */
function split(tails: readonly Tail[], labels: readonly number[], budget: Budget, most: number): MadePart[] {
  const whole = makeTable(tails, labels, budget) ?? makeBits(tails, labels);
  if (whole !== undefined) return [whole];
  if (tails.length === 1) throw new TooLarge('the pattern needs more states than the kernel side can hold', labels);
  const middle = tails.length >> 1;
  const parts: MadePart[] = [];
  for (const [from, to] of [
    [0, middle],
    [middle, tails.length],
  ] as const) {
    parts.push(...split(tails.slice(from, to), labels.slice(from, to), budget, most - parts.length));
    if ((parts.length >= most && to < tails.length) || parts.length > most)
      throw new TooLarge('the patterns together need more states than the kernel side can hold', labels);
  }
  return parts;
}
