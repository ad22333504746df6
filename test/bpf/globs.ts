import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BpfMap, roundUp8 } from '../../agent/kernel/map.ts';
import { MappedArray } from '../../agent/kernel/memory.ts';
import { openObject } from '../../agent/kernel/object.ts';
import { Arena } from '../../agent/policy/glob/arena.ts';
import { compileBpf } from '../agent/kernel/compile.ts';
import { runProgramFd } from '../agent/kernel/run.ts';

/** The functions of bpf/glob.h in the kernel, run over texts that a test gives. */
export class KernelGlobs implements Disposable {
  readonly arena: Arena;
  /** Milliseconds that the verifier took. */
  readonly loadMs: number;
  readonly #match: number;
  readonly #matchDirectory: number;
  readonly #input: BpfMap;
  readonly #accepted: MappedArray;
  readonly #stack: DisposableStack;

  constructor() {
    using undo = new DisposableStack();
    const source = readFileSync(join(import.meta.dirname, 'glob.c'), 'utf8');
    const include = join(import.meta.dirname, '../../bpf');
    const object = undo.use(openObject(compileBpf(source, { include }), 'glob'));
    this.loadMs = object.load();
    const memory = undo.use(new MappedArray(object.map('picket_arena')));
    this.arena = new Arena(memory.bytes);
    this.#accepted = undo.use(new MappedArray(object.map('accepted')));
    this.#input = object.map('input');
    this.#match = object.programFd('match');
    this.#matchDirectory = object.programFd('match_directory');
    this.#stack = undo.move();
  }

  /** The accept ids that the automaton at `place` finds in the text from `from` on; twice when it says so twice. */
  match(place: number, text: Uint8Array, from = 0): number[] {
    const input = new Uint8Array(roundUp8(this.#input.shape.valueBytes));
    new DataView(input.buffer).setUint32(0, text.length, true);
    input.set(text, 8);
    this.#input.update(new Uint8Array(4), input);
    return this.#run(() => {
      const status = runProgramFd(this.#match, [place, from]);
      if (status !== 0) throw new Error(`the program answered ${status}`);
    });
  }

  /**
   * The accept ids for the last `names` of the path of this process's current directory; undefined: a name is not what it was when the
   * path was walked. `renamed`: pretend so of that name, counted from the end from 1 on.
   */
  matchDirectory(place: number, names: number, renamed = 0): number[] | undefined {
    let status = 0;
    const ids = this.#run(() => {
      status = runProgramFd(this.#matchDirectory, [place, names, renamed]);
    });
    if (status < 0) throw new Error(`the program answered ${status}`);
    return status === 0 ? undefined : ids;
  }

  #run(program: () => void): number[] {
    const { words } = this.#accepted;
    words.fill(0n);
    program();
    const ids: number[] = [];
    for (const [id, count] of words.entries()) for (let i = 0n; i < count; i++) ids.push(id);
    return ids;
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
