/** One function per thing that Picket asks of a machine: what is there, what its absence means, what to do. */
import { type Attempt, type Facts, mayLoad } from './facts.ts';
import type { Feature, FeatureName } from './feature.ts';

const oldestKernel = [6, 1] as const;
/** Those that the BPF object is built for (bpf/registers.h). */
const architectures: Record<string, string> = { x64: 'x86-64' };
const EPERM = 1;
const otherKernel = 'boot a kernel of the distribution: those of Debian 12 and Ubuntu 24.04 have it';
/** What Debian and Ubuntu boot with, for the advice when the list cannot be read. */
const defaultModules = ['landlock', 'lockdown', 'yama', 'integrity', 'apparmor'];

function feature(
  name: FeatureName,
  required: boolean,
  ok: boolean,
  found: string,
  means: string,
  todo: string,
): Feature {
  return { feature: name, ok, tried: true, required, found, means: ok ? '' : means, todo: ok ? '' : todo };
}

export function judgeSystem({ platform, arch }: Facts): Feature {
  const known = architectures[arch];
  const ok = platform === 'linux' && known !== undefined;
  return feature(
    'system',
    true,
    ok,
    `${platform === 'linux' ? 'Linux' : platform} on ${known ?? arch}`,
    'Picket works inside the Linux kernel, in this version on x86-64',
    'run it on a Linux machine, virtual or not: Debian 12 or 13, or Ubuntu 24.04',
  );
}

export function judgeKernel({ platform, kernel }: Facts): Feature {
  if (platform !== 'linux') return untried('kernel', true, `${kernel} is no Linux`);
  const [major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).slice(1).map(Number);
  const ok = major > oldestKernel[0] || (major === oldestKernel[0] && minor >= oldestKernel[1]);
  return feature(
    'kernel',
    true,
    ok,
    kernel,
    `the programs need Linux ${oldestKernel.join('.')} or newer`,
    'boot a newer kernel: Debian 12 and Ubuntu 24.04 have one',
  );
}

export function judgeRights(facts: Facts): Feature {
  const who = facts.uid === 0 ? 'root' : `user ${facts.uid}`;
  const [found, todo] = !facts.initialUserNamespace
    ? [
        `${who} of a user namespace, which the kernel does not take for root`,
        'run Picket as root of the machine itself',
      ]
    : facts.uid !== 0
      ? [who, 'run it again as root, with sudo']
      : ['root without the capabilities for it', 'give the process CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON'];
  const ok = mayLoad(facts);
  return feature('rights', true, ok, ok ? 'root' : found, 'programs cannot be put into the kernel', todo);
}

export function judgeLibbpf({ libbpf }: Facts): Feature {
  if (libbpf.kind === 'untried') return untried('libbpf', true, libbpf.found);
  const found = libbpf.kind === 'fails' ? libbpf.found : '';
  const todo = found.startsWith('koffi') ? 'install the packages again: npm ci' : 'install it: apt-get install libbpf1';
  const ok = libbpf.kind === 'works';
  return feature(
    'libbpf',
    true,
    ok,
    ok ? 'libbpf.so.1' : shorten(found),
    'programs cannot be put into the kernel',
    todo,
  );
}

export function judgeTypes({ kernelTypes }: Facts): Feature {
  return feature(
    'kernel types',
    true,
    kernelTypes,
    kernelTypes ? '/sys/kernel/btf/vmlinux' : 'no /sys/kernel/btf/vmlinux',
    'programs cannot be fitted to this kernel (it was built without CONFIG_DEBUG_INFO_BTF)',
    otherKernel,
  );
}

export function judgeCgroup({ cgroup2 }: Facts): Feature {
  return feature(
    'cgroup v2',
    true,
    cgroup2 !== undefined,
    cgroup2 ?? 'not mounted',
    'workloads cannot be told apart: they are known by their cgroup',
    'mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified',
  );
}

export function judgeLockdown({ lockdown, kernelReads }: Facts): Feature {
  const state = lockdown ?? 'not readable here (no securityfs)';
  const means = 'programs may not read the kernel, so they cannot see paths or processes';
  const todo = 'boot without lockdown=confidentiality; lockdown=integrity is fine';
  if (lockdown === 'confidentiality') return feature('lockdown', true, false, state, means, todo);
  if (kernelReads.kind === 'untried') return untried('lockdown', true, `${state}; ${kernelReads.found}`);
  const ok = kernelReads.kind === 'works';
  const tried = kernelReads.kind === 'fails' ? shorten(kernelReads.found) : 'programs may read the kernel';
  return feature('lockdown', true, ok, `${state}; ${tried}`, means, todo);
}

export function judgeAttempt(
  name: FeatureName,
  required: boolean,
  attempt: Attempt,
  means: string,
  uid: number,
): Feature {
  switch (attempt.kind) {
    case 'works':
      return feature(name, required, true, 'works', '', '');
    case 'untried':
      return untried(name, required, attempt.found);
    case 'idle':
      return feature(name, required, false, 'accepted, but never run', means, otherKernel);
    case 'fails': {
      const refused = attempt.errno === EPERM && uid === 0;
      const todo = refused ? 'ask who runs this machine: its kernel refuses this to root' : otherKernel;
      return feature(name, required, false, shorten(attempt.found), means, todo);
    }
  }
}

function untried(name: FeatureName, required: boolean, found: string): Feature {
  const means = 'unknown until it can be tried';
  return {
    ...feature(name, required, false, found, means, 'see to what is missing above, then look again'),
    tried: false,
  };
}

export function judgeLsm({ lsm, securityModules, uid }: Facts): Feature {
  const means = 'operations cannot be refused; the tracepoint backend kills instead';
  const unlisted = securityModules !== undefined && !securityModules.includes('bpf');
  if (lsm.kind === 'idle' || (lsm.kind === 'fails' && unlisted && lsm.errno !== EPERM)) {
    const active = securityModules ?? defaultModules;
    const found = securityModules === undefined ? '' : `: active are ${securityModules.join(', ')}`;
    const todo = `add lsm=${[...active, 'bpf'].join(',')} to the kernel command line and boot again`;
    return feature('BPF LSM', false, false, `not switched on${found}`, means, todo);
  }
  if (lsm.kind === 'works') return feature('BPF LSM', false, true, 'programs load, attach and run', '', '');
  return judgeAttempt('BPF LSM', false, lsm, means, uid);
}

export function judgeBpffs({ bpffs }: Facts): Feature {
  return feature(
    'bpffs',
    false,
    bpffs !== undefined,
    bpffs ?? 'not mounted',
    'rules cannot stay in force while no agent runs: picket agent asks for pins: off',
    'mount it: mount -t bpf bpf /sys/fs/bpf',
  );
}

/** What a reader needs of `loading program x: bpf_prog_load answered EPERM (1): …` or of a library that cannot be loaded. */
function shorten(found: string): string {
  return found
    .replace(/^(loading|creating|attaching) (program|map|types)[^:]*: \w+ answered /, '$1 is refused: ')
    .replace(/ \(Failed to load .*$/, '')
    .replace(/, the package .*$/, ' cannot be loaded');
}
