import { createHash } from 'node:crypto';
import { limits } from '../../abi.gen.ts';
import { KernelError } from '../../kernel/error.ts';
import type { Automaton } from './automaton.ts';
import { automatonBytes, formOf } from './part.ts';

interface Block {
  at: number;
  /** With what fills it up to a multiple of `grain`. */
  bytes: number;
  digest: string;
  users: number;
}

interface Gap {
  at: number;
  bytes: number;
}

/** Blocks begin at multiples of it, so that short automata do not share a cache line with others. */
const grain = 64;

/**
 * The memory in which the kernel side finds automata. Equal ones stand there once; what stands there is never changed. A block without
 * users is used again only after `collect`, which is the caller's word that no program reads it any more.
 *
 * The memory tells by itself what it holds, so that an agent takes over what its predecessor left: blocks and gaps lie one behind the
 * other from `grain` on; a gap has form 0 and its length where a part has its form and length, and the first gap without a length goes
 * to the end.
 */
export class Arena {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #blocks = new Map<string, Block>();
  readonly #byPlace = new Map<number, Block>();

  /** Takes over what the memory holds, for nobody yet; memory that is zero is empty. */
  constructor(memory: Uint8Array) {
    // The kernel side may read a little beyond, and finds nothing there.
    const own = memory.subarray(0, limits.ARENA_BYTES);
    this.#memory = own;
    this.#view = new DataView(own.buffer, own.byteOffset, own.byteLength);
    for (let at = grain; at < own.length; ) {
      if (formOf(own, at) === undefined) {
        at += this.#gapBytes(at);
        continue;
      }
      const bytes = automatonBytes(own, at);
      const digest = createHash('sha256')
        .update(own.subarray(at, at + bytes))
        .digest('hex');
      const block = { at, bytes: roundUp(bytes), digest, users: 0 };
      this.#byPlace.set(at, block);
      this.#blocks.set(digest, block);
      at += block.bytes;
    }
  }

  get capacity(): number {
    return this.#memory.length;
  }

  get used(): number {
    return [...this.#byPlace.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * The automaton's place, for one more user. It is never 0.
   *
   * @throws KernelError `full` when there is no room
   */
  place({ bytes, digest }: Pick<Automaton, 'bytes' | 'digest'>): number {
    let block = this.#blocks.get(digest);
    if (block === undefined) {
      block = { at: this.#write(bytes), bytes: roundUp(bytes.length), digest, users: 0 };
      this.#byPlace.set(block.at, block);
      this.#blocks.set(digest, block);
    }
    block.users++;
    return block.at;
  }

  /** One more user of what stands there already, such as a rule set that an earlier agent loaded. */
  hold(place: number): void {
    const block = this.#byPlace.get(place);
    if (block === undefined) throw new Error(`no automaton stands at ${place}`);
    block.users++;
  }

  /** The places of all that stand there. */
  get places(): number[] {
    return [...this.#byPlace.keys()];
  }

  /** One user less; the automaton stays until `collect`. */
  release(place: number): void {
    const block = this.#byPlace.get(place);
    if (block === undefined || block.users === 0) throw new Error(`no automaton is in use at ${place}`);
    block.users--;
  }

  /** Gives up the automata that nobody uses. No rule set that names one may be in force, and no program may be reading one. */
  collect(): void {
    const unused = [...this.#byPlace.values()].filter(({ users }) => users === 0);
    for (const { at, digest } of unused) {
      this.#byPlace.delete(at);
      if (this.#blocks.get(digest)?.at === at) this.#blocks.delete(digest);
    }
    // Also the gaps around them, as one: what a gap holds is never read.
    if (unused.length > 0) for (const gap of this.#gaps()) this.#markGap(gap);
  }

  #write(bytes: Buffer): number {
    const room = roundUp(bytes.length);
    const gap = this.#gaps().find((candidate) => candidate.bytes >= room);
    if (gap === undefined)
      throw new KernelError(
        'full',
        `an automaton of ${bytes.length} bytes does not fit into the arena for patterns: ${this.used} of ${this.capacity} bytes are in use`,
      );
    // In this order, so that the memory is readable whenever the agent is stopped: the part's form, at its very beginning, last.
    if (gap.bytes > room) this.#markGap({ at: gap.at + room, bytes: gap.bytes - room });
    this.#memory.set(bytes.subarray(8), gap.at + 8);
    this.#memory.set(bytes.subarray(4, 8), gap.at + 4);
    this.#memory.set(bytes.subarray(0, 4), gap.at);
    return gap.at;
  }

  /** In the order of their places. */
  #gaps(): Gap[] {
    const gaps: Gap[] = [];
    let at = grain;
    for (const block of [...this.#byPlace.values()].sort((a, b) => a.at - b.at)) {
      if (block.at > at) gaps.push({ at, bytes: block.at - at });
      at = block.at + block.bytes;
    }
    if (at < this.capacity) gaps.push({ at, bytes: this.capacity - at });
    return gaps;
  }

  #gapBytes(at: number): number {
    return this.#view.getUint32(at + 4, true) || this.capacity - at;
  }

  #markGap({ at, bytes }: Gap): void {
    this.#view.setUint32(at + 4, bytes, true);
    this.#view.setUint32(at, 0, true);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / grain) * grain;
}
