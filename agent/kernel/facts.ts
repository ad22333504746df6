import { findCgroup2, parseMounts } from './mount.ts';

/** What one attempt gave. `idle`: it was accepted, but the kernel never runs it. `untried`: something else is missing for it. */
export type Attempt =
  | { kind: 'works' }
  | { kind: 'idle' }
  | { kind: 'fails'; errno: number; found: string }
  | { kind: 'untried'; found: string };

export type Lockdown = 'none' | 'integrity' | 'confidentiality';

/** What this machine offers, without judgement; `undefined` is what could not be found out. */
export interface Facts {
  platform: string;
  arch: string;
  /** `uname -r` */
  kernel: string;
  uid: number;
  /** CapEff of /proc/self/status. */
  capabilities: bigint;
  /** False in a user namespace, where root is not the kernel's root. */
  initialUserNamespace: boolean;
  kernelTypes: boolean;
  cgroup2: string | undefined;
  bpffs: string | undefined;
  lockdown: Lockdown | undefined;
  securityModules: string[] | undefined;
  libbpf: Attempt;
  /** A program that reads kernel memory: lockdown=confidentiality forbids it even where its own state cannot be read. */
  kernelReads: Attempt;
  ring: Attempt;
  taskStorage: Attempt;
  /** A program on an LSM hook: loaded, attached and seen to run. */
  lsm: Attempt;
  /** A program on a raw tracepoint with types: loaded and attached. */
  tracepoint: Attempt;
}

/** Reads and tries; each method answers undefined or a failed attempt instead of throwing. */
export interface Probes {
  platform: string;
  arch: string;
  kernel: string;
  uid: number;
  readText(path: string): string | undefined;
  exists(path: string): boolean;
  loadLibbpf(): Attempt;
  tryKernelReads(): Attempt;
  tryRing(): Attempt;
  tryTaskStorage(): Attempt;
  tryLsm(): Attempt;
  tryTracepoint(): Attempt;
}

const initialIds = /^\s*0\s+0\s+4294967295\s*$/;

const capSysAdmin = 1n << 21n;
const capPerfmon = 1n << 38n;
const capBpf = 1n << 39n;

/** Whether the kernel takes programs from this process at all, as far as its rights go. */
export function mayLoad(facts: Pick<Facts, 'uid' | 'capabilities' | 'initialUserNamespace'>): boolean {
  const has = (capability: bigint) => (facts.capabilities & capability) !== 0n;
  return facts.uid === 0 && facts.initialUserNamespace && (has(capSysAdmin) || (has(capBpf) && has(capPerfmon)));
}

/** Asks every probe, once. What cannot work for want of rights, libbpf or kernel types is not tried: its failure would mislead. */
export function gatherFacts(probes: Probes): Facts {
  const linux = probes.platform === 'linux';
  const read = (path: string) => (linux ? probes.readText(path) : undefined);
  const mounts = parseMounts(read('/proc/self/mountinfo') ?? '');
  const kernelTypes = linux && probes.exists('/sys/kernel/btf/vmlinux');
  const rights = {
    uid: probes.uid,
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(read('/proc/self/status') ?? '')?.[1] ?? '0'}`),
    initialUserNamespace: initialIds.test(read('/proc/self/uid_map') ?? '0 0 4294967295'),
  };
  const libbpf: Attempt = linux ? probes.loadLibbpf() : { kind: 'untried', found: 'not tried: this is not Linux' };
  const attempt = (probe: () => Attempt, needsTypes: boolean): Attempt => {
    if (!linux) return { kind: 'untried', found: 'not tried: this is not Linux' };
    if (!mayLoad(rights)) return { kind: 'untried', found: 'not tried: the rights are missing' };
    if (libbpf.kind !== 'works') return { kind: 'untried', found: 'not tried: libbpf is missing' };
    if (needsTypes && !kernelTypes) return { kind: 'untried', found: 'not tried: kernel types are missing' };
    return probe();
  };
  return {
    platform: probes.platform,
    arch: probes.arch,
    kernel: probes.kernel,
    ...rights,
    kernelTypes,
    cgroup2: findCgroup2(mounts),
    bpffs: mounts.find((mount) => mount.type === 'bpf')?.path,
    lockdown: /\[(none|integrity|confidentiality)\]/.exec(read('/sys/kernel/security/lockdown') ?? '')?.[1] as
      | Lockdown
      | undefined,
    securityModules: read('/sys/kernel/security/lsm')?.trim().split(','),
    libbpf,
    kernelReads: attempt(probes.tryKernelReads, true),
    ring: attempt(probes.tryRing, false),
    taskStorage: attempt(probes.tryTaskStorage, false),
    lsm: attempt(probes.tryLsm, true),
    tracepoint: attempt(probes.tryTracepoint, true),
  };
}
