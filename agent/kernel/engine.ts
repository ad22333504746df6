import { readFileSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import type { HashKey } from '../policy/hash.ts';
import type { Backend } from './feature.ts';
import { KernelHooks } from './hook.ts';
import { type BpfMap, possibleCpus } from './map.ts';
import { MappedArray } from './memory.ts';
import { type BpfObject, openObject } from './object.ts';
import { RingReader } from './ring.ts';

export interface EngineOptions {
  backend: Backend;
  /** Secret of the path hash, new with every load. */
  hashKey: HashKey;
  denyRingBytes: number;
  auditRingBytes: number;
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
const programs: Record<Backend, readonly string[]> = {
  lsm: [
    ...membership,
    'picket_task_alloc',
    'picket_bprm_check',
    'picket_file_open',
    'picket_path_unlink',
    'picket_path_rmdir',
    'picket_sys_unlink',
    'picket_sys_unlinkat',
    'picket_sys_rmdir',
  ],
  tracepoint: [...membership, 'picket_sys_exit'],
};
/** Entry points of 32-bit programs: a kernel without IA32_EMULATION has none. */
const compat = ['picket_ia32_unlink', 'picket_ia32_unlinkat', 'picket_ia32_rmdir'];

const scratchPerCpu = 4;

/** The built object, beside its sources. */
export const objectFile = new URL('../../bpf/picket.bpf.o', import.meta.url);

/** Picket's programs in the kernel, loaded for one backend and attached: they act until this is closed. */
export class Engine implements Disposable {
  readonly backend: Backend;
  readonly hashKey: HashKey;
  /** Milliseconds that the verifier took. */
  readonly loadMs: number;
  readonly workloads: MappedArray;
  /** `struct picket_control`: what counts for all workloads. */
  readonly control: MappedArray;
  readonly denyRing: RingReader;
  readonly auditRing: RingReader;
  readonly #object: BpfObject;
  readonly #stack: DisposableStack;

  /** @throws KernelError when the kernel refuses a program; nothing stays behind then */
  constructor(options: EngineOptions) {
    this.backend = options.backend;
    this.hashKey = options.hashKey;
    using undo = new DisposableStack();
    const object = undo.use(openObject(readFileSync(objectFile), 'picket'));
    const wanted = new Set(programs[options.backend]);
    using hooks = new KernelHooks();
    for (const { name, section } of object.programs) {
      const here = options.backend === 'lsm' && compat.includes(name) && hooks.has(section);
      object.setAutoload(name, wanted.has(name) || here);
    }
    for (const iterator of ['picket_sweep', 'picket_own_root']) object.setAutoattach(iterator, false);
    object.constants.set(
      'picket_backend',
      abi.backend[options.backend === 'lsm' ? 'BACKEND_LSM' : 'BACKEND_TRACEPOINT'],
    );
    object.constants.set('picket_hash_name', this.hashKey.name);
    object.constants.set('picket_hash_path', this.hashKey.path);
    object.constants.set('picket_cpus', possibleCpus());
    object.setMaxEntries('picket_scratch', scratchPerCpu * possibleCpus());
    object.setMaxEntries('picket_ring_deny', options.denyRingBytes);
    object.setMaxEntries('picket_ring_audit', options.auditRingBytes);
    this.loadMs = object.load();
    this.workloads = undo.use(new MappedArray(object.map('picket_workloads')));
    this.control = undo.use(new MappedArray(object.map('picket_control')));
    this.denyRing = undo.use(new RingReader(object.map('picket_ring_deny')));
    this.auditRing = undo.use(new RingReader(object.map('picket_ring_audit')));
    object.attachAll();
    this.#object = object;
    this.#stack = undo.move();
  }

  map(name: string): BpfMap {
    return this.#object.map(name);
  }

  /** Gives every task that is in a registered cgroup and has no record yet its record. */
  sweep(): void {
    using link = this.#object.attach('picket_sweep');
    link.iterate();
  }

  /**
   * Path of this process's root directory, seen from the root of its mount namespace: `/`, unless it was started in a chroot.
   * Rules are compared with paths from the root of the namespace, while the policies of a local workload name what it sees
   * itself; this is the difference.
   */
  ownRoot(): string {
    using link = this.#object.attach('picket_own_root');
    return link.iterate().toString('utf8') || '/';
  }

  /** Counters of the kernel side since it was loaded, by name without the prefix. */
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

  /** Records that the kernel side has numbered so far, lost ones included. */
  sequences(): { deny: number; audit: number } {
    const read = (ring: number): number => {
      const value = this.#object.map('picket_sequence').lookup(new Uint8Array(new Uint32Array([ring]).buffer));
      return value === undefined ? 0 : Number(new DataView(value.buffer).getBigUint64(0, true));
    };
    return { deny: read(0), audit: read(1) };
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
