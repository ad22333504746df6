import { makeBits } from '../../../../agent/policy/glob/bits.ts';
import { Budget } from '../../../../agent/policy/glob/bounds.ts';
import { chainOf, tailOf } from '../../../../agent/policy/glob/chain.ts';
import { encodePart } from '../../../../agent/policy/glob/part.ts';
import { makeTable } from '../../../../agent/policy/glob/table.ts';
import { tokensOf } from '../../../../agent/policy/glob/token.ts';
import { pathBytes } from '../../../../agent/policy/pathname.ts';

/**
 * The tails of patterns below a directory in both forms, whichever would be taken; undefined: no pattern can match there. At most 15
 * patterns without braces: an accept id is their set, one bit for each, so that the forms can be compared.
 */
export function bothForms(patterns: readonly string[], directory: string): { table: Buffer; bits: Buffer } | undefined {
  const prefix = pathBytes(directory === '/' ? '/' : `${directory}/`);
  const tails = patterns.flatMap((text) => tailOf(chainOf(tokensOf(text)), prefix) ?? []);
  const labels = tails.map((_, label) => label);
  const [table, bits] = [makeTable(tails, labels, new Budget()), makeBits(tails, labels)];
  if (tails.length === 0 || table === undefined || bits === undefined) return undefined;
  return {
    table: encodePart({ ...table.content, accept: relabel(table.content.accept, table.accepts) }, false),
    bits: encodePart({ ...bits.content, accept: relabel(bits.content.accept, bits.accepts) }, false),
  };
}

function relabel(ids: Uint16Array, accepts: readonly number[][]): Uint16Array {
  return ids.map((id) => (accepts[id - 1] ?? []).reduce((mask, label) => mask | (1 << label), 0));
}

/** The patterns that a form has found, as a set. */
export function union(ids: readonly number[]): number {
  return ids.reduce((mask, id) => mask | id, 0);
}
