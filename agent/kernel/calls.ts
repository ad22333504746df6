import { readFileSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { findSyscall, type Syscall, shapeOf, syscalls } from '../policy/syscall.ts';
import { type Entry, entriesOf, multiplexedNumbers } from '../policy/syscall-entry.ts';
import { isConstants } from './adopt.ts';
import { KernelError } from './error.ts';
import type { Backend } from './feature.ts';
import { callFunctions } from './functions.ts';
import { Gate, type GateKind, type GatePlace } from './gate.ts';
import type { Link } from './link.ts';
import type { BpfMap } from './map.ts';
import { type BpfObject, openObject } from './object.ts';
import type { PinnedCalls } from './pins.ts';

export const callObjectFile = new URL('../../bpf/call.bpf.o', import.meta.url);

export interface CallWatchOptions {
  backend: Backend;
  /** A map of the main object, which these programs use as well; undefined: it has none of this name. */
  map(name: string): BpfMap | undefined;
  /** Sets the constants that both objects have. */
  setConstants(object: BpfObject): void;
  /** Where links are pinned, to outlive the agent. */
  pins: PinnedCalls | undefined;
}

const { CALL_CLOSES, CALL_ENDS, CALL_EXECUTES, CALL_PATH, CALL_FILE } = abi.callShape;
const beginning = CALL_CLOSES | CALL_ENDS | CALL_EXECUTES;
const anyPath = 63 * CALL_PATH;

/** More calls than this are watched at the end of every call, which costs each a little, instead of one by one. */
export const singleLimit = 48;
/** Between two gates that are closed: each makes the kernel wait until no processor is in it. */
const closeEveryMs = 20;

const kinds = ['a', 'b'] as const;
type Kind = (typeof kinds)[number];

/**
 * The programs behind rules on system calls (bpf/call.bpf.c). Each is loaded when it is needed first, and attached to the calls that
 * are watched and to what tells their paths, and to nothing else.
 */
export class CallWatch implements Disposable {
  readonly #options: CallWatchOptions;
  readonly #gates = new Map<string, Gate>();
  readonly #links = new Map<string, Link>();
  /** By program: the object that it was loaded with. */
  readonly #objects = new Map<string, BpfObject>();
  readonly #stack = new DisposableStack();
  /** Links that are not needed any more; taking one off makes the kernel wait, so that is done later. */
  readonly #idle = new Map<string, Disposable>();
  #timer: NodeJS.Timeout | undefined;
  /** Which of the two sets of programs suits a function, by the number of its prototype. */
  #kinds: ReadonlyMap<number, Kind> | undefined;
  #watched: ReadonlySet<number> = new Set();
  #out = false;
  /** Milliseconds that loading programs took so far. */
  loadMs = 0;

  constructor(options: CallWatchOptions) {
    this.#options = options;
  }

  /** Numbers of the calls that are watched now. */
  get watched(): ReadonlySet<number> {
    return this.#watched;
  }

  /** Programs that are attached now, by what they are attached to. */
  get attached(): string[] {
    return [...this.#gates.keys(), ...this.#links.keys()];
  }

  /** Whether the running kernel has a call. */
  exists(call: Syscall): boolean {
    return call.exists && entries(call).length > 0;
  }

  /**
   * Watches these calls and no others. To be called with those of the old and the new rules before the new ones are put in force, and
   * with the new ones alone afterwards.
   *
   * @throws KernelError; what was watched before is still watched then
   */
  watch(numbers: ReadonlySet<number>): void {
    const same = numbers.size === this.#watched.size && [...numbers].every((number) => this.#watched.has(number));
    if (!same) this.#change(numbers);
    this.#options.pins?.removeOthers();
  }

  /** Takes the programs off; with pins they would otherwise outlive this. */
  takeOut(): void {
    this.#out = true;
    this.#clear();
  }

  [Symbol.dispose](): void {
    this.#clear();
    this.#objects.clear();
    this.#stack[Symbol.dispose]();
  }

  #clear(): void {
    const kept = this.#options.pins !== undefined && !this.#out;
    clearTimeout(this.#timer);
    for (const link of [...this.#idle.values(), ...this.#gates.values()]) link[Symbol.dispose]();
    this.#idle.clear();
    this.#gates.clear();
    for (const link of this.#links.values()) kept ? link.keep() : link[Symbol.dispose]();
    this.#links.clear();
    this.#watched = new Set();
  }

  #change(numbers: ReadonlySet<number>): void {
    const calls = [...numbers].flatMap((number) => findSyscall(number) ?? []).filter((call) => this.exists(call));
    const places = this.#places(calls);
    const programs = new Set(calls.flatMap((call) => pathPrograms(call, this.#options.backend)));
    if (places === undefined) {
      if (calls.length > 0) programs.add('picket_all_end');
      if (calls.some((call) => shapeOf(call) & beginning)) programs.add('picket_all_begin');
    }
    this.#load([...programs, ...[...(places?.values() ?? [])].flatMap((place) => this.#programsOf(place))]);
    for (const program of programs) if (!this.#links.has(program)) this.#attach(program);
    for (const [key, place] of places ?? []) if (!this.#gates.has(key)) this.#open(key, place);
    this.#switchGates(places !== undefined);
    this.#watched = new Set(numbers);
    for (const [program, link] of this.#links) if (!programs.has(program)) this.#leave(program, link);
    for (const [key, gate] of this.#gates) if (!places?.has(key)) this.#leave(key, gate);
  }

  /** The functions on which gates stand for these calls; undefined: they are watched at the end of every call instead. */
  #places(calls: readonly Syscall[]): Map<string, GatePlace> | undefined {
    if (this.#options.backend !== 'lsm' || calls.length > singleLimit) return undefined;
    const places = new Map<string, GatePlace>();
    for (const call of calls) {
      const shape = shapeOf(call);
      for (const { fn, cookie } of entries(call)) {
        const found = callFunctions().get(fn);
        if (found === undefined) continue;
        const add = (kind: GateKind): void => void places.set(`${kind} ${fn}`, { ...found, kind, fn, cookie });
        if (!(shape & CALL_ENDS)) add('end');
        if (shape & beginning) add('begin');
      }
    }
    return places;
  }

  /** Has the kernel check programs that it does not have yet. */
  #load(programs: readonly string[]): void {
    const missing = new Set(programs.filter((program) => !this.#objects.has(program)));
    if (missing.size === 0) return;
    const { map, setConstants, pins } = this.#options;
    using undo = new DisposableStack();
    const object = undo.use(openObject(readFileSync(callObjectFile), 'picket_call'));
    const first = this.#objects.values().next().value;
    for (const { name } of object.maps) {
      const shared = map(name) ?? (isConstants(name) ? undefined : first?.map(name));
      if (shared !== undefined) object.reuseMap(name, shared);
    }
    setConstants(object);
    object.constants.set('picket_multiplexed', new Uint8Array(multiplexedNumbers.buffer));
    const targets = this.#options.backend === 'lsm' ? this.#targets() : undefined;
    for (const { name, section } of object.programs) {
      object.setAutoload(name, missing.has(name));
      const kind = section.includes('_sys_') ? kinds.find((each) => name.endsWith(`_${each}`)) : undefined;
      const target = kind && targets?.get(kind);
      if (target !== undefined && missing.has(name)) object.setTarget(name, target);
    }
    this.loadMs += object.load();
    if (first === undefined) for (const name of kinds.flatMap(gateMaps)) pins?.pinMap(object.map(name));
    for (const program of missing) this.#objects.set(program, object);
    this.#stack.use(undo.move());
  }

  /** One function of each prototype that entry points have, as far as there are programs for them. */
  #targets(): Map<Kind, string> {
    const targets = new Map<Kind, string>();
    const found = new Map<number, Kind>();
    for (const { fn } of syscalls.flatMap(entries)) {
      const prototype = callFunctions().get(fn)?.prototype;
      const kind = kinds[found.size];
      if (prototype === undefined || found.has(prototype) || kind === undefined) continue;
      found.set(prototype, kind);
      targets.set(kind, fn);
    }
    this.#kinds = found;
    return targets;
  }

  /** The programs behind a gate: what is loaded for its function, and what all gates lead to. */
  #programsOf({ kind, fn, prototype }: GatePlace): [gate: string, program: string] {
    this.#targets();
    const suits = this.#kinds?.get(prototype);
    if (suits === undefined)
      throw new KernelError('bad-object', `no program suits ${fn}, which takes other parameters than other calls`);
    return [`picket_gate_${kind}_${suits}`, `picket_at_${kind}_${suits}`];
  }

  #open(key: string, place: GatePlace): void {
    const idle = this.#idle.get(key);
    const [program] = this.#programsOf(place);
    const gate = idle instanceof Gate ? idle : new Gate(place, this.#object(program).instructions(program));
    this.#idle.delete(key);
    this.#gates.set(key, gate);
    if (gate !== idle) this.#options.pins?.pinLink(gate.fd, key);
  }

  #attach(program: string): void {
    const link = this.#object(program).attach(program);
    this.#links.set(program, link);
    this.#options.pins?.pinLink(link.fd, program);
  }

  #object(program: string): BpfObject {
    const object = this.#objects.get(program);
    if (object === undefined) throw new Error(`${program} is attached before it is loaded`);
    return object;
  }

  /** Opens or closes all gates at once, so that no call is reported by a gate and at the end of all calls. */
  #switchGates(open: boolean): void {
    const first = new Uint8Array(4);
    for (const name of kinds.flatMap(gateMaps)) {
      const program = name.replace('picket_', 'picket_at_');
      const object = this.#objects.get(program);
      if (object === undefined) continue;
      if (open) object.map(name).update(first, new Uint8Array(new Int32Array([object.programFd(program)]).buffer));
      else object.map(name).delete(first);
    }
  }

  /** A link is not needed any more: no rule in force names its call, so it only costs those calls a little until it is gone. */
  #leave(name: string, link: Gate | Link): void {
    this.#gates.delete(name);
    if (this.#links.delete(name)) {
      this.#options.pins?.unpinLink(name);
      link[Symbol.dispose]();
      return;
    }
    this.#idle.set(name, link);
    this.#timer ??= setTimeout(() => this.#closeOne(), closeEveryMs).unref();
  }

  #closeOne(): void {
    this.#timer = undefined;
    const [name, link] = this.#idle.entries().next().value ?? [];
    if (name === undefined || link === undefined) return;
    this.#idle.delete(name);
    this.#options.pins?.unpinLink(name);
    link[Symbol.dispose]();
    if (this.#idle.size > 0) this.#timer = setTimeout(() => this.#closeOne(), closeEveryMs).unref();
  }
}

function entries(call: Syscall): Entry[] {
  return entriesOf(call, (fn) => callFunctions().has(fn), process.arch);
}

function gateMaps(kind: Kind): string[] {
  return [`picket_end_${kind}`, `picket_begin_${kind}`];
}

/** The programs that tell the paths of a call. */
function pathPrograms(call: Syscall, backend: Backend): string[] {
  const shape = shapeOf(call);
  const programs = shape & CALL_EXECUTES ? ['picket_executed'] : [];
  if (backend !== 'lsm') return programs;
  const named = namePrograms[call.name];
  if (named !== undefined) programs.push(...named);
  else if (shape & CALL_FILE) programs.push('picket_file');
  else if (shape & anyPath) programs.push('picket_lookup');
  return programs;
}

const open = ['picket_file', 'picket_path_mknod']; // one that creates and may not is refused before there is a file
const rename = ['picket_path_rename'];
const namePrograms: Readonly<Record<string, readonly string[]>> = {
  unlink: ['picket_path_unlink'],
  unlinkat: ['picket_path_unlink', 'picket_path_rmdir'],
  rmdir: ['picket_path_rmdir'],
  mkdir: ['picket_path_mkdir'],
  mkdirat: ['picket_path_mkdir'],
  mknod: ['picket_path_mknod'],
  mknodat: ['picket_path_mknod'],
  symlink: ['picket_path_symlink'],
  symlinkat: ['picket_path_symlink'],
  link: ['picket_path_link', 'picket_lookup'],
  linkat: ['picket_path_link', 'picket_lookup'],
  rename,
  renameat: rename,
  renameat2: rename,
  open,
  openat: open,
  openat2: open,
  creat: open,
};
