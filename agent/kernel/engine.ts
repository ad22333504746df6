import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { Arena } from '../policy/glob/arena.ts';
import type { HashKey } from '../policy/hash.ts';
import { callShapes } from '../policy/syscall.ts';
import { compatNumbers } from '../policy/syscall-entry.ts';
import { type FoundPins, findPins, isConstants, ownerOf } from './adopt.ts';
import { CallWatch } from './calls.ts';
import { KernelError } from './error.ts';
import type { Backend } from './feature.ts';
import { CgroupGuards } from './guard.ts';
import { KernelHooks } from './hook.ts';
import type { Link } from './link.ts';
import { type BpfMap, possibleCpus } from './map.ts';
import { MappedArray } from './memory.ts';
import { findCgroup2, parseMounts } from './mount.ts';
import { type BpfObject, openObject } from './object.ts';
import { objectInfo } from './pin.ts';
import type { PinFolder, PinnedPrograms, PinSet, Removed } from './pins.ts';
import { RingReader } from './ring.ts';
import { carryTasks, type TaskHome } from './tasks.ts';

export interface EngineOptions {
  backend: Backend;
  /** Secret of the path hash; programs that are found in the kernel have theirs, and keep it. */
  hashKey: HashKey;
  denyRingBytes: number;
  auditRingBytes: number;
  /** What is read from the rings stays there until it is released. */
  holdsBack?: boolean;
  /** Where programs and maps are pinned, to outlive the agent; undefined: they leave the kernel with it. */
  pins?: PinFolder | undefined;
}

const membership = [
  'picket_cgroup_mkdir',
  'picket_cgroup_rmdir',
  'picket_cgroup_attach',
  'picket_fork',
  'picket_exit',
  'picket_sweep',
  'picket_own_root',
  'picket_exec',
];
/** Files and the presets about them, hook by hook (bpf/hook_open.h, hook_name.h, hook_write.h, preset.h). */
const fileHooks = [
  'picket_file_open',
  'picket_file_permission',
  'picket_path_mknod',
  'picket_drop_write',
  'picket_path_mkdir',
  'picket_path_symlink',
  'picket_judge_unlink',
  'picket_judge_rmdir',
  'picket_path_link',
  'picket_path_rename',
  'picket_path_chmod',
  'picket_path_chown',
  'picket_path_truncate',
  'picket_mmap_file',
];
/** Sockets, DNS questions, capabilities (bpf/hook_socket.h, hook_dns.h, hook_capable.h). */
const otherHooks = [
  'picket_capable',
  'picket_socket_create',
  'picket_socket_bind',
  'picket_socket_connect',
  'picket_socket_listen',
  'picket_socket_accept',
  'picket_socket_sendmsg',
];
/** Packets, on the root of all cgroups: the LSM backend knows a workload by the task at work. */
const packetHook = 'picket_egress';
/** Tracepoint backend: on the cgroups of workloads. */
const cgroupPrograms = [
  'picket_cgroup_create',
  'picket_cgroup_bind4',
  'picket_cgroup_bind6',
  'picket_cgroup_connect4',
  'picket_cgroup_connect6',
  'picket_cgroup_sendmsg4',
  'picket_cgroup_sendmsg6',
  packetHook,
];
const programs: Record<Backend, readonly string[]> = {
  lsm: [...membership, ...fileHooks, ...otherHooks, packetHook, 'picket_task_alloc', 'picket_bprm_check'],
  tracepoint: [...membership, 'picket_sys_exit', ...cgroupPrograms],
};
/** Loaded where the kernel has the hook: truncations of open files have one from 6.2 on. */
const whereOffered = ['picket_file_truncate'];
/** Run by the agent when it needs them; never attached to a hook. */
const iterators = ['picket_sweep', 'picket_own_root'];

const scratchPerCpu = 4;

/** The mount namespace of the node: that of its first process; this process's own where that one is out of reach. */
function nodeMounts(): number {
  try {
    return statSync('/proc/1/ns/mnt').ino;
  } catch {
    return statSync('/proc/self/ns/mnt').ino;
  }
}

/** A place in each ring: everything that was written before it. */
export interface RingPositions {
  deny: number;
  audit: number;
}

/** The built object, beside its sources. */
export const objectFile = new URL('../../bpf/picket.bpf.o', import.meta.url);

/**
 * Picket's programs in the kernel, loaded for one backend and attached. With pins they act until `takeOut`, also while no
 * agent runs: maps that an earlier agent left are taken over with all that is in them, and so are its programs when they
 * are of this very build. Otherwise the new programs are put beside the old ones, and only then do these go: on one hook the
 * newest runs first, a refusal ends the chain, and both judge by the same rules.
 */
export class Engine implements Disposable {
  readonly backend: Backend;
  readonly hashKey: HashKey;
  /** Names the maps: what is known about slots and rule sets belongs to maps of one id. */
  readonly id: string;
  /** The maps were there before, with workloads and rules in them. */
  readonly adopted: boolean;
  /** What the user should know about what was taken over. */
  readonly notes: readonly string[];
  /** Milliseconds that the verifier took. */
  readonly loadMs: number;
  readonly workloads: MappedArray;
  /** `struct picket_control`: what counts for all workloads. */
  readonly control: MappedArray;
  readonly denyRing: RingReader;
  readonly auditRing: RingReader;
  /** Programs that come and go with rules on system calls. */
  readonly calls: CallWatch;
  readonly #object: BpfObject;
  readonly #pins: PinSet | undefined;
  readonly #programs: PinnedPrograms | undefined;
  readonly #folder: PinFolder | undefined;
  readonly #links = new Map<string, Link>();
  readonly #guards: CgroupGuards;
  readonly #stack: DisposableStack;
  #arena: Arena | undefined;
  #filters: Uint8Array | undefined;
  #out = false;

  /** @throws KernelError when the kernel refuses a program; what an earlier agent left stays in force then, and nothing else */
  constructor(options: EngineOptions) {
    this.backend = options.backend;
    this.#folder = options.pins;
    using undo = new DisposableStack();
    const build = readFileSync(objectFile);
    const object = undo.use(openObject(build, 'picket'));
    chooseParts(object, options);
    const digest = createHash('sha256').update(build).update(`${options.backend} ${possibleCpus()}`).digest('hex');
    const found = options.pins && findPins(options.pins, object);
    this.adopted = found !== undefined;
    this.id = found?.record.id ?? randomUUID();
    this.hashKey = found === undefined ? options.hashKey : readHashKey(found);
    this.notes = found?.notes ?? [];
    const same = found?.record.digest === digest;
    if (found !== undefined) takeMaps(object, found);
    if (found !== undefined && same) takePrograms(object, found.set.programs(digest));
    else setConstants(object, options.backend, this.hashKey);
    this.loadMs = object.load();
    this.workloads = undo.use(new MappedArray(object.map('picket_workloads')));
    this.control = undo.use(new MappedArray(object.map('picket_control')));
    this.denyRing = undo.use(new RingReader(object.map('picket_ring_deny'), { holdsBack: options.holdsBack ?? false }));
    this.auditRing = undo.use(
      new RingReader(object.map('picket_ring_audit'), { holdsBack: options.holdsBack ?? false }),
    );
    new DataView(this.control.bytes.buffer).setUint32(abi.control.fields.host_namespace.offset, nodeMounts(), true);
    this.#object = object;
    this.#pins = options.pins && (found?.set ?? options.pins.of(abi.ABI));
    this.#programs = this.#pins?.programs(digest);
    this.#guards = new CgroupGuards(object, options.backend === 'tracepoint' ? cgroupPrograms : [], this.#programs);
    if (this.#pins !== undefined) this.#pin(this.#pins, digest, { same, fresh: found === undefined });
    else this.#attachAll();
    this.calls = undo.use(
      new CallWatch({
        backend: options.backend,
        map: (name) => (contractMaps(object).includes(name) ? object.map(name) : undefined),
        setConstants: (calls) => setConstants(calls, options.backend, this.hashKey),
        pins: this.#pins?.calls,
      }),
    );
    this.#stack = undo.move();
  }

  map(name: string): BpfMap {
    return this.#object.map(name);
  }

  /** Where the automata of patterns stand. */
  get arena(): Arena {
    this.#arena ??= new Arena(this.#stack.use(new MappedArray(this.map('picket_arena'))).bytes);
    return this.#arena;
  }

  /** Where the filters of rule sets stand. */
  get filters(): Uint8Array {
    this.#filters ??= this.#stack.use(new MappedArray(this.map('picket_filters'))).bytes;
    return this.#filters;
  }

  /** Folder of the pins; undefined: there are none. */
  get pinPath(): string | undefined {
    return this.#pins?.path;
  }

  /** Where all pins are; undefined: there are none. */
  get pins(): PinFolder | undefined {
    return this.#folder;
  }

  /** Pins of other versions, whose programs are in force beside these. */
  get others(): PinSet[] {
    return this.#folder?.sets.filter(({ path }) => path !== this.#pins?.path) ?? [];
  }

  /**
   * Carries over which processes belong to a workload though they are not in its cgroup, from the maps of other versions.
   * `homes`: by the number that the workload had there.
   */
  carryTasks(homes: ReadonlyMap<bigint, TaskHome>): number {
    let carried = 0;
    for (const set of this.others) {
      using from = set.openMap('picket_tasks');
      if (from !== undefined) carried += carryTasks(from, this.map('picket_tasks'), homes);
    }
    if (carried > 0) this.sweep();
    return carried;
  }

  /** Puts the sockets of a workload under its rules: by its cgroup, where no hook knows it by the task at work. */
  guard(cgroup: string): void {
    this.#guards.guard(cgroup);
  }

  /** Ends that. */
  unguard(cgroup: string): void {
    this.#guards.release(cgroup);
  }

  /** Ends that for all cgroups that the kernel side does not know any more. */
  collectGuards(): void {
    const cgroups = this.map('picket_cgroups');
    this.#guards.collect((id) => cgroups.lookup(new Uint8Array(new BigUint64Array([id]).buffer)) !== undefined);
  }

  /** Gives every task that is in a registered cgroup and has no record yet its record. */
  sweep(): void {
    this.#object.iterate('picket_sweep');
  }

  /**
   * Path of this process's root directory, seen from the root of its mount namespace: `/`, unless it was started in a chroot.
   * Rules are compared with paths from the root of the namespace, while the policies of a local workload name what it sees
   * itself; this is the difference.
   */
  ownRoot(): string {
    return this.#object.iterate('picket_own_root').toString('utf8') || '/';
  }

  /** Counters of the kernel side since its maps were made, by name without the prefix. */
  counters(): Record<string, number> {
    const map = this.#object.map('picket_counters');
    const sums: Record<string, number> = {};
    for (const [name, index] of Object.entries(abi.counter)) {
      if (index === abi.counter.COUNTERS) continue;
      const [sum] = map.sumPerCpu(new Uint8Array(new Uint32Array([index]).buffer)) ?? [0n];
      sums[name.replace(/^COUNT_/, '').toLowerCase()] = Number(sum);
    }
    return sums;
  }

  /** Cgroups that lead to workloads, and how many there is room for. */
  cgroups(): { used: number; room: number } {
    const map = this.#object.map('picket_cgroups');
    return { used: [...map.keys()].length, room: map.shape.maxEntries };
  }

  /** Records that the kernel side has numbered so far, lost ones included. */
  sequences(): { deny: number; audit: number } {
    const read = (ring: number): number => {
      const value = this.#object.map('picket_sequence').lookup(new Uint8Array(new Uint32Array([ring]).buffer));
      return value === undefined ? 0 : Number(new DataView(value.buffer).getBigUint64(0, true));
    };
    return { deny: read(0), audit: read(1) };
  }

  /** How far the rings have been read. */
  get readPositions(): RingPositions {
    return { deny: this.denyRing.consumedPosition, audit: this.auditRing.consumedPosition };
  }

  /** Gives what was read before back to the kernel; until then the next agent would read it again. */
  release({ deny, audit }: RingPositions): void {
    this.denyRing.release(deny);
    this.auditRing.release(audit);
  }

  /** Takes the programs off their hooks and removes all pins, those of other versions too. Returns what was taken out. */
  takeOut(): Removed[] {
    this.calls.takeOut();
    const links = [...this.#links.values(), ...this.#guards.links];
    const held: Removed = { path: '', links: [], programs: [], maps: [] };
    for (const link of links) {
      const { id, programId } = objectInfo(link.fd);
      held.links.push(id);
      held.programs.push(programId);
    }
    held.maps = this.#object.maps.map(({ name }) => objectInfo(this.map(name).fd).id);
    const sets = [...this.others, ...(this.#pins === undefined ? [] : [this.#pins])];
    const removed = sets.flatMap((set) => set.remove() ?? []);
    this.#folder?.removeIfEmpty();
    this.#out = true;
    for (const link of links) link[Symbol.dispose]();
    this.#links.clear();
    return this.#pins === undefined ? [held] : removed;
  }

  /** Ends the use of the programs here. Pinned ones go on acting; all others leave the kernel. */
  [Symbol.dispose](): void {
    if (this.#pins !== undefined && !this.#out) {
      for (const link of this.#links.values()) link.keep();
      this.#guards.keep();
    }
    this.#links.clear();
    this.#stack[Symbol.dispose]();
  }

  #pin(pins: PinSet, digest: string, { same, fresh }: { same: boolean; fresh: boolean }): void {
    using undo = new DisposableStack();
    const programs = pins.programs(digest);
    if (fresh) {
      undo.defer(() => void pins.remove());
      pins.make();
      for (const name of contractMaps(this.#object)) pins.pinMap(name, this.map(name));
    }
    if (!same) {
      undo.defer(() => programs.remove());
      const constants = constantsOf(this.#object);
      programs.make(constants === undefined ? undefined : this.map(constants));
    }
    this.#attachAll(same ? programs.names : []);
    const programFd = (name: string): number | undefined =>
      this.backend === 'tracepoint' && cgroupPrograms.includes(name) ? this.#object.programFd(name) : undefined;
    for (const other of pins.otherPrograms(digest)) programs.takeCgroups(other, programFd);
    const { name, path } = this.hashKey;
    const hashKey = { name: String(name), path: String(path) };
    pins.writeRecord({ id: this.id, digest, hashKey, owner: ownerOf(process.pid) });
    undo.move(); // from here on it stays
    pins.removeOtherPrograms(digest);
  }

  #attachAll(attached: readonly string[] = []): void {
    for (const { name, autoload, autoattach } of this.#object.programs)
      if (autoload && autoattach && !attached.includes(name)) this.#attach(name);
    if (this.backend === 'lsm' && !attached.includes(packetHook)) this.#attach(packetHook, cgroupRoot());
  }

  #attach(program: string, cgroup?: string): void {
    const link = this.#object.attach(program, cgroup);
    this.#links.set(program, link);
    this.#programs?.pin(link);
  }
}

/** Which programs this backend and this kernel take; sizes that depend on the machine. */
function chooseParts(object: BpfObject, { backend, denyRingBytes, auditRingBytes }: EngineOptions): void {
  const wanted = new Set(programs[backend]);
  using hooks = new KernelHooks();
  for (const { name, section } of object.programs) {
    const here = backend === 'lsm' && whereOffered.includes(name) && hooks.has(section);
    object.setAutoload(name, wanted.has(name) || here);
    if (cgroupPrograms.includes(name)) object.setAutoattach(name, false);
  }
  for (const iterator of iterators) object.setAutoattach(iterator, false);
  object.setMaxEntries('picket_scratch', scratchPerCpu * possibleCpus());
  object.setMaxEntries('picket_ring_deny', denyRingBytes);
  object.setMaxEntries('picket_ring_audit', auditRingBytes);
}

/** @throws KernelError `not-supported` without cgroup v2, which is what a workload is known by */
function cgroupRoot(): string {
  const root = findCgroup2(parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')));
  if (root === undefined) throw new KernelError('not-supported', 'no cgroup v2 hierarchy is mounted here');
  return root;
}

function setConstants({ constants }: BpfObject, backend: Backend, hashKey: HashKey): void {
  constants.set('picket_backend', abi.backend[backend === 'lsm' ? 'BACKEND_LSM' : 'BACKEND_TRACEPOINT']);
  constants.set('picket_hash_name', hashKey.name);
  constants.set('picket_hash_path', hashKey.path);
  constants.set('picket_cpus', possibleCpus());
  constants.set('picket_compat_numbers', new Uint8Array(compatNumbers.buffer));
  constants.set('picket_call_shapes', new Uint8Array(callShapes().buffer));
}

function contractMaps(object: BpfObject): string[] {
  return object.maps.map(({ name }) => name).filter((name) => !isConstants(name));
}

function constantsOf(object: BpfObject): string | undefined {
  return object.maps.find(({ name }) => isConstants(name))?.name;
}

function takeMaps(object: BpfObject, { set }: FoundPins): void {
  for (const name of contractMaps(object)) {
    using map = set.openMap(name);
    if (map !== undefined) object.reuseMap(name, map);
  }
}

/** What is attached is not loaded again; what is not gets the same constants. */
function takePrograms(object: BpfObject, programs: PinnedPrograms): void {
  const name = constantsOf(object);
  using constants = programs.openConstants();
  if (name !== undefined && constants !== undefined) object.reuseMap(name, constants);
  for (const program of programs.names) object.setAutoload(program, false);
}

function readHashKey({ record: { hashKey } }: FoundPins): HashKey {
  return { name: BigInt(hashKey.name), path: BigInt(hashKey.path) };
}
