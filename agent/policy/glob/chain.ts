import { anyByte, type ByteSet, isSubset, noByte, notSlash } from './byte-set.ts';
import { isSlash, type Token } from './token.ts';

/**
 * A pattern as a row of states 0 to n: in state i the bytes of `loop[i]` stay there, those of `step[i]` lead to state i + 1; state n
 * accepts. A star is a loop on the state before it, so there are no empty moves:
 *
 *     a*b      0 -a-> 1 -b-> 2             1: loop on all but the slash
 *     a/ ** /b   0 -a-> 1 -/-> 2 -b-> 3      2: loop on all, left only behind a slash
 *
 * The second is the whole meaning of a double star between slashes, a single slash included: `boundary` says that the state can be
 * left, or accept, only while the byte read last is a slash.
 */
export interface Chain {
  readonly loop: readonly ByteSet[];
  /** One shorter than `loop`. */
  readonly step: readonly ByteSet[];
  readonly boundary: readonly boolean[];
}

export function chainOf(tokens: readonly Token[]): Chain {
  const loop: ByteSet[] = [noByte];
  const step: ByteSet[] = [];
  const boundary: boolean[] = [false];
  for (let i = 0; i < tokens.length; ) {
    const token = tokens[i] as Token;
    const state = step.length;
    if (token.kind === 'byte') {
      step.push(token.set);
      loop.push(noByte);
      boundary.push(false);
      i++;
      continue;
    }
    let end = i + 1;
    while (tokens[end]?.kind === 'star') end++;
    const stars = end - i;
    if (stars === 2 && isSlash(tokens[i - 1]) && isSlash(tokens[end])) {
      // Behind the slash, or behind another double star between slashes, which changes nothing.
      loop[state] = anyByte;
      boundary[state] = true;
      i = end + 1;
      continue;
    }
    // What follows a boundary and may begin anywhere needs no boundary: every text has a last slash, or begins behind one.
    if (stars > 1) loop[state] = anyByte;
    else if (loop[state] !== anyByte) loop[state] = notSlash;
    boundary[state] = false;
    i = end;
  }
  return { loop, step, boundary };
}

/** A chain from the states on that it can be in when its fixed directory and the slash behind it have been read. */
export interface Tail {
  /** Equal for tails that are equal. */
  readonly key: string;
  readonly chain: Chain;
  /** Ascending, the first one 0. */
  readonly start: readonly number[];
}

/** What is left of a chain behind `prefix`, which ends with a slash; undefined when it cannot begin so, or matches nothing. */
export function tailOf({ loop, step, boundary }: Chain, prefix: Uint8Array): Tail | undefined {
  if (step.includes(noByte)) return undefined;
  let states = [0];
  let behindSlash = false;
  for (const byte of prefix) {
    const next: number[] = [];
    for (const state of states) {
      if (loop[state]?.has[byte] && next.at(-1) !== state) next.push(state);
      if (step[state]?.has[byte] && (!boundary[state] || behindSlash)) next.push(state + 1);
    }
    states = next;
    behindSlash = byte === 0x2f;
  }
  const first = states[0];
  if (first === undefined) return undefined;
  const chain = { loop: loop.slice(first), step: step.slice(first), boundary: boundary.slice(first) };
  const start = states.map((state) => state - first);
  return { key: keyOf(chain, start), chain, start };
}

function keyOf({ loop, step, boundary }: Chain, start: readonly number[]): string {
  const states = loop.map(
    ({ key }, i) => `${key}${boundary[i] ? '!' : ''}${start.includes(i) ? '<' : ''} ${step[i]?.key ?? ''}`,
  );
  return states.join('-');
}

/**
 * For each state the first one that it stands for: when the chain is in both, the earlier one can be forgotten, because whatever leads
 * from there to the end leads from here as well. That is so when this state's loop takes every byte that the way between takes.
 */
export function coveredFrom({ loop, step }: Chain): number[] {
  const reach: number[] = [];
  for (const [state, own] of loop.entries()) {
    let first = state;
    while (first > 0 && own !== noByte) {
      const before = first - 1;
      if (!isSubset(step[before] ?? noByte, own) || !isSubset(loop[before] ?? noByte, own)) break;
      first = loop[before] === own ? (reach[before] as number) : before; // as far as its equal came
    }
    reach.push(first);
  }
  // Only a state that loops can be there together with one further on.
  return reach.map((first, state) => {
    while (first < state && loop[first] === noByte) first++;
    return first;
  });
}
