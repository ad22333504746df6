import { closeSync, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { KernelError } from './error.ts';
import type { Attempt, Probes } from './facts.ts';
import { KernelHooks } from './hook.ts';
import { call } from './libbpf.ts';
import { createMap, mapFlags, mapTypes } from './map.ts';
import { pageBytes } from './memory.ts';
import { type Instruction, instructions as i, SmallProgram } from './program.ts';

const probeReadKernel = 113; // BPF_FUNC_probe_read_kernel
const wordKey = new Uint8Array(4);

/** The probes of this machine. They leave nothing behind in the kernel, and the programs they attach for a moment refuse nothing. */
export const machineProbes: Probes = {
  platform: process.platform,
  arch: process.arch,
  kernel: release(),
  uid: process.getuid?.() ?? -1,
  readText: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined; // absent, unreadable, not mounted: all the same for a probe
    }
  },
  exists: existsSync,
  loadLibbpf: () =>
    attempt(() => {
      call('libbpf_version_string', 'loading libbpf');
      return undefined;
    }),

  /** On a tracepoint, which loads wherever anything does, so a refusal speaks of the read alone. */
  tryKernelReads: () =>
    attempt(() => {
      const code = [
        i.copy(1, 10),
        i.add(1, -8),
        i.set(2, 8),
        i.set(3, 0),
        i.call(probeReadKernel),
        i.set(0, 0),
        i.exit,
      ];
      using _ = load('picket_read', 'tracepoint', 'tp_btf/sched_process_exec', code);
    }),

  tryRing: () =>
    attempt(() => {
      const maxEntries = pageBytes();
      using _ = createMap({
        name: 'picket_ring',
        type: mapTypes.ring,
        keyBytes: 0,
        valueBytes: 0,
        maxEntries,
        flags: 0,
      });
    }),

  tryTaskStorage: () =>
    attempt(() => {
      const types = intTypes();
      const typesFd = call('bpf_btf_load', 'loading types', types, types.byteLength, null);
      try {
        using _ = createMap(
          {
            name: 'picket_task',
            type: mapTypes.taskStorage,
            keyBytes: 4,
            valueBytes: 4,
            maxEntries: 0,
            flags: mapFlags.noPrealloc,
          },
          { fd: typesFd, key: 1, value: 1 },
        );
      } finally {
        closeSync(typesFd);
      }
    }),

  /**
   * A kernel may accept LSM programs and never call them: its list of security modules (lsm=) has to name bpf. So the program leaves a
   * mark when it runs, on a hook that the probe itself sets off.
   */
  tryLsm: () =>
    attempt(() => {
      using mark = createMap({
        name: 'picket_mark',
        type: mapTypes.array,
        keyBytes: 4,
        valueBytes: 8,
        maxEntries: 1,
        flags: 0,
      });
      const code = [...i.mapValue(1, mark.fd), i.set(2, 1), i.store(1, 0, 2), i.set(0, 0), i.exit];
      using program = load('picket_lsm', 'lsm', 'lsm/sb_statfs', code);
      program.attach();
      statfsSync('/');
      return mark.lookup(wordKey)?.[0] === 1 ? { kind: 'works' } : { kind: 'idle' };
    }),

  tryTracepoint: () =>
    attempt(() => {
      using program = load('picket_tp', 'tracepoint', 'tp_btf/sched_process_exec', [i.set(0, 0), i.exit]);
      program.attach();
    }),
};

function load(name: string, kind: 'lsm' | 'tracepoint', section: string, code: readonly Instruction[]): SmallProgram {
  using hooks = new KernelHooks();
  const hook = hooks.find(section);
  if (hook === undefined) throw new KernelError('not-supported', `this kernel has no hook ${section}`);
  return new SmallProgram(name, kind, hook, code);
}

/** Works when the probe throws nothing, unless it says otherwise itself. */
function attempt(probe: () => Attempt | undefined): Attempt {
  try {
    return probe() ?? { kind: 'works' };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return { kind: 'fails', errno: error instanceof KernelError ? error.errno : 0, found };
  }
}

/** BTF with one type, `int`, which a map of local storage must name for its key and value. */
function intTypes(): Uint8Array {
  const strings = Buffer.from('\0int\0');
  const words = [0x0001_eb9f, 24, 0, 16, 16, strings.length, 1, 0x0100_0000, 4, 0x0100_0020];
  return Buffer.concat([Buffer.from(new Uint32Array(words).buffer), strings]);
}
