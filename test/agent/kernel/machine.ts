import type { Attempt, Facts, Probes } from '../../../agent/kernel/facts.ts';

const works: Attempt = { kind: 'works' };

/** A machine where everything is there. */
export const goodFacts: Facts = {
  platform: 'linux',
  arch: 'x64',
  kernel: '6.1.0-56-cloud-amd64',
  uid: 0,
  capabilities: 0x1ff_ffff_ffffn,
  initialUserNamespace: true,
  kernelTypes: true,
  cgroup2: '/sys/fs/cgroup',
  bpffs: '/sys/fs/bpf',
  lockdown: 'none',
  securityModules: ['lockdown', 'capability', 'bpf'],
  libbpf: works,
  kernelReads: works,
  ring: works,
  taskStorage: works,
  lsm: works,
  tracepoint: works,
};

export const refused = (errno: number, found: string): Attempt => ({ kind: 'fails', errno, found });

/** Probes of an imagined machine: files with their texts, and attempts that all work unless said otherwise. */
export function fakeProbes(change: Partial<Probes> & { files?: Record<string, string> } = {}): Probes {
  const files: Record<string, string> = {
    '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
    '/proc/self/uid_map': '         0          0 4294967295\n',
    '/proc/self/mountinfo':
      '30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n31 1 0:27 / /sys/fs/bpf rw - bpf bpf rw\n',
    '/sys/kernel/btf/vmlinux': '',
    '/sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
    '/sys/kernel/security/lsm': 'lockdown,capability,bpf',
    ...change.files,
  };
  return {
    platform: 'linux',
    arch: 'x64',
    kernel: '6.1.0-56-cloud-amd64',
    uid: 0,
    readText: (path) => files[path],
    exists: (path) => path in files,
    loadLibbpf: () => works,
    tryKernelReads: () => works,
    tryRing: () => works,
    tryTaskStorage: () => works,
    tryLsm: () => works,
    tryTracepoint: () => works,
    ...change,
  };
}
