import { alphabetOf } from './alphabet.ts';
import { type Budget, maxStates } from './bounds.ts';
import { slashAlone } from './byte-set.ts';
import type { Tail } from './chain.ts';
import type { Dfa } from './dfa.ts';
import { StateSets } from './state-set.ts';
import { Tree } from './tree.ts';

/**
 * The subset construction: one state for each set of states in which the chains can be together. `labels` are what the chains say when
 * they accept. Undefined as soon as there are more than `maxStates` or the budget is used up: a few stars and question marks can make
 * millions.
 */
export function determine(tails: readonly Tail[], labels: readonly number[], budget: Budget): Dfa | undefined {
  const sets = tails.flatMap(({ chain }) => [...chain.loop, ...chain.step]);
  // The slash is told apart where a state asks whether it was read.
  if (tails.some(({ chain }) => chain.boundary.includes(true))) sets.push(slashAlone);
  const alphabet = alphabetOf(sets);
  const classes = alphabet.byteOf.length;
  const slashClass = alphabet.classOf[0x2f];
  const tree = new Tree(tails, labels, alphabet.byteOf);
  const reached = new StateSets();
  const accept: string[] = [];
  const next: Int32Array[] = [];
  const numberOf = (states: Int32Array, behindSlash: boolean): number => {
    // What was read last matters where a state asks for it, and nowhere else.
    const behind = behindSlash && states.some((state) => tree.boundary[state] === 1);
    const number = reached.number(states, behind);
    if (number === accept.length) accept.push(tree.accepted(states, behind));
    return number;
  };

  numberOf(tree.first, true);
  for (let i = 0; i < reached.size; i++) {
    const { states, behindSlash } = reached.at(i);
    budget.left -= tree.cost(states) * classes;
    if (reached.size > maxStates || budget.left < 0) return undefined;
    const row = new Int32Array(classes);
    for (let c = 0; c < classes; c++) row[c] = numberOf(tree.move(states, behindSlash, c), c === slashClass);
    next.push(row);
  }
  return { alphabet, next, accept };
}
