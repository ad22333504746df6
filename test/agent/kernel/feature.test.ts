import { describe, expect, it } from 'vitest';
import type { Facts } from '../../../agent/kernel/facts.ts';
import { featureNames, judge } from '../../../agent/kernel/feature.ts';
import { goodFacts, refused } from './machine.ts';

const eperm = refused(1, 'loading program picket_lsm: bpf_prog_load answered EPERM (1): operation not permitted');
const untried = { kind: 'untried', found: 'not tried: the rights are missing' } as const;

describe('judge()', () => {
  it('chooses lsm where everything is there, with nothing left to do', () => {
    const { backend, features } = judge(goodFacts);
    expect(backend).toBe('lsm');
    expect(features.map((feature) => feature.feature)).toEqual(featureNames);
    expect(features.filter((feature) => !feature.ok || feature.means || feature.todo)).toEqual([]);
  });

  const missing: [name: string, feature: string, change: Partial<Facts>, found: RegExp, todo: RegExp][] = [
    ['macOS', 'system', { platform: 'darwin', arch: 'arm64' }, /darwin on arm64/, /Linux machine/],
    ['another architecture', 'system', { arch: 's390x' }, /Linux on s390x/, /Debian 12/],
    ['Linux 5.15', 'kernel', { kernel: '5.15.0-91-generic' }, /5\.15\.0/, /newer kernel/],
    ['Linux 6.0', 'kernel', { kernel: '6.0.19' }, /6\.0\.19/, /newer kernel/],
    ['a kernel without a number', 'kernel', { kernel: 'custom' }, /custom/, /newer kernel/],
    ['an ordinary user', 'rights', { uid: 1000, capabilities: 0n }, /user 1000/, /sudo/],
    ['an ordinary user with all capabilities', 'rights', { uid: 1000 }, /user 1000/, /sudo/],
    ['root without capabilities', 'rights', { capabilities: 0xffffn }, /without the capabilities/, /CAP_BPF/],
    ['root of a user namespace', 'rights', { initialUserNamespace: false }, /user namespace/, /machine itself/],
    [
      'no libbpf',
      'libbpf',
      { libbpf: refused(0, 'libbpf.so.1 cannot be loaded (Failed to load shared library: x); install it with: y') },
      /^libbpf\.so\.1 cannot be loaded$/,
      /apt-get install libbpf1/,
    ],
    [
      'no koffi',
      'libbpf',
      { libbpf: refused(0, 'koffi, the package through which …') },
      /^koffi cannot be loaded$/,
      /npm ci/,
    ],
    ['no BTF', 'kernel types', { kernelTypes: false }, /no \/sys\/kernel\/btf\/vmlinux/, /kernel of the distribution/],
    ['no cgroup v2', 'cgroup v2', { cgroup2: undefined }, /not mounted/, /mount -t cgroup2/],
    [
      'lockdown=confidentiality',
      'lockdown',
      { lockdown: 'confidentiality' },
      /confidentiality/,
      /lockdown=integrity is fine/,
    ],
    [
      'lockdown that shows only in a refusal',
      'lockdown',
      {
        lockdown: undefined,
        kernelReads: refused(22, 'loading program picket_read: unknown func bpf_probe_read_kernel#113'),
      },
      /not readable.*unknown func/,
      /lockdown/,
    ],
    [
      'no ring buffer',
      'ring buffer',
      { ring: refused(22, 'creating map picket_ring: …') },
      /picket_ring/,
      /boot a kernel/,
    ],
    ['no task storage', 'task storage', { taskStorage: eperm }, /loading is refused: EPERM/, /refuses this to root/],
    ['no tracepoints', 'raw tracepoints', { tracepoint: eperm }, /loading is refused: EPERM/, /refuses this to root/],
  ];

  it.each(missing)('names no backend for %s, and says what to do', (_, name, change, found, todo) => {
    const { backend, reason, features } = judge({ ...goodFacts, ...change });
    const feature = features.find((one) => one.feature === name);
    expect(backend).toBeNull();
    expect(feature).toMatchObject({ ok: false, required: true });
    expect(feature?.found).toMatch(found);
    expect(feature?.todo).toMatch(todo);
    expect(feature?.means).not.toBe('');
    expect(reason).toContain(`Picket cannot work here: ${name}: `);
    expect(features.filter((one) => one.tried && !one.ok)).toHaveLength(1);
  });

  const withoutLsm: [name: string, change: Partial<Facts>, found: RegExp, todo: RegExp][] = [
    ['root is refused', { lsm: eperm }, /loading is refused: EPERM/, /ask who runs this machine/],
    [
      'the program never runs',
      { lsm: { kind: 'idle' }, securityModules: ['landlock', 'yama'] },
      /not switched on: active are landlock, yama/,
      /add lsm=landlock,yama,bpf to/,
    ],
    [
      'the program never runs and the list is unreadable',
      { lsm: { kind: 'idle' }, securityModules: undefined },
      /^not switched on$/,
      /add lsm=.*apparmor,bpf to/,
    ],
    [
      'the kernel has no such hook',
      { lsm: refused(0, 'this kernel has no hook lsm/sb_statfs') },
      /no hook/,
      /boot a kernel/,
    ],
  ];

  it.each(withoutLsm)('chooses tracepoint where %s', (_, change, found, todo) => {
    const { backend, reason, features } = judge({ ...goodFacts, ...change });
    const lsm = features.find((one) => one.feature === 'BPF LSM');
    expect(backend).toBe('tracepoint');
    expect(reason).toMatch(/^Raw tracepoints work, BPF LSM does not \(.+\), so Block is carried out by SIGKILL\.$/);
    expect(lsm).toMatchObject({ ok: false, required: false });
    expect(lsm?.found).toMatch(found);
    expect(lsm?.todo).toMatch(todo);
  });

  it('does not blame the kernel for what was not tried', () => {
    const nothing = { kernelReads: untried, ring: untried, taskStorage: untried, lsm: untried, tracepoint: untried };
    const { backend, reason, features } = judge({ ...goodFacts, uid: 1000, capabilities: 0n, ...nothing });
    expect(backend).toBeNull();
    expect(reason).toContain('rights');
    expect(features.filter((one) => !one.tried).map((one) => one.feature)).toEqual([
      'lockdown',
      'ring buffer',
      'task storage',
      'raw tracepoints',
      'BPF LSM',
    ]);
  });

  it.each([
    [undefined, 'lsm'],
    ['lsm', 'lsm'],
    ['tracepoint', 'tracepoint'],
  ] as const)('asked for %s alone on a good machine chooses %s', (only, expected) => {
    expect(judge(goodFacts, only).backend).toBe(expected);
  });

  it('asked for lsm alone where it is refused names no backend and the reason', () => {
    expect(judge({ ...goodFacts, lsm: eperm }, 'lsm')).toMatchObject({
      backend: null,
      reason: expect.stringContaining('The backend lsm was asked for, but BPF LSM: loading is refused'),
    });
  });

  it('lives without bpffs and without a readable lockdown state', () => {
    expect(judge({ ...goodFacts, bpffs: undefined, lockdown: undefined, securityModules: undefined }).backend).toBe(
      'lsm',
    );
  });
});
