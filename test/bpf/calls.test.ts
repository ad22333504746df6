import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { syscalls } from '../../agent/policy/syscall.ts';
import { missingForHost } from '../agent/host.ts';
import { compiled } from '../image/compile.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { KernelSeries } from '../kernel/image.ts';
import { isLong } from '../scale.ts';
import type { Made, Report } from './calls.ts';

const program = join(import.meta.dirname, 'calls.ts');
const caller = join(import.meta.dirname, 'calls.c');

/**
 * Calls that cannot be made to end in success, EPERM or EACCES without harm everywhere; nothing is reported then, as it must be.
 * Those that only one of the kernels answers so stand here too.
 */
const notMade: Readonly<Record<string, string>> = {
  pause: 'returns by a signal alone: EINTR',
  rt_sigsuspend: 'as pause',
  restart_syscall: 'nothing to go on with: EINTR',
  uselib: 'left out of most kernels',
  io_cancel: 'nothing in flight: EINVAL',
  lookup_dcookie: 'removed in 6.7',
  quotactl_fd: 'needs a file system with quotas',
  pkey_alloc: 'needs protection keys of the processor',
  pkey_free: 'likewise',
  process_madvise: 'not on oneself before 6.13',
  process_mrelease: 'only on a process that is being ended',
  futex_waitv: 'without a futex: EINVAL',
  futex_wait: 'would wait: EAGAIN',
  map_shadow_stack: 'needs shadow stacks of the processor',
  lsm_get_self_attr: 'needs a security module with attributes',
  lsm_set_self_attr: 'likewise',
  landlock_create_ruleset: 'needs Landlock',
  landlock_add_rule: 'likewise',
  landlock_restrict_self: 'likewise',
  memfd_secret: 'off by default before 6.5',
};
/** Calls of which some kernels are built without; and newer ones. */
const optional = [
  ...['iopl', 'ioperm', 'init_module', 'delete_module', 'finit_module', 'kexec_load', 'kexec_file_load', 'sysfs'],
  ...['statmount', 'listmount', 'listns', 'userfaultfd', 'name_to_handle_at', 'open_by_handle_at', 'syslog'],
  ...syscalls.filter(({ number }) => number >= 450).map(({ name }) => name),
];

const names = syscalls.filter(({ exists }) => exists).map(({ name }) => name);
/** One of each way in which a call is watched and its path is found. */
const sample = `
  read close mmap open openat openat2 creat stat lstat newfstatat fchownat mkdir mknod symlink link rename renameat2 unlink
  unlinkat rmdir chdir chroot mount acct utimensat splice socket getpid fork vfork rt_sigreturn execve execveat exit
  exit_group open_by_handle_at
`
  .trim()
  .split(/\s+/);
const batch = 40;
const batches = (list: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(list.length / batch) }, (_, i) => list.slice(i * batch, (i + 1) * batch));

/** One by one, and together at the end of every call. */
const lists = isLong ? [...batches(names), names] : [...batches(sample), names];

const kernels: readonly KernelSeries[] = isLong ? ['6.1', '6.12'] : ['6.1'];

async function runInGuest(kernel: KernelSeries, path: string): Promise<string> {
  await using guest = await bootGuest({ kernel, programs: [program] });
  const { status, stdout, stderr } = await guest.run([process.execPath, program, 'lsm', path], {
    stdin: JSON.stringify(lists),
    timeoutMs: 900_000,
  });
  expect(status, String(stderr)).toBe(0);
  return String(stdout);
}

const runOnHost = (path: string): string =>
  execFileSync(process.execPath, [program, 'tracepoint', path], {
    input: JSON.stringify(lists),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });

const isReported = ({ result }: Made): boolean => result === 'ends' || result >= 0 || result === -1 || result === -13;

describe.each([
  ['on this kernel', missingForHost, runOnHost] as const,
  ...kernels.map((kernel) => [`on ${kernel}`, undefined, (path: string) => runInGuest(kernel, path)] as const),
])('system calls that rules name, %s', (_, missing, run) => {
  it.skipIf(missing !== undefined)(
    `are reported once, with the path that the kernel resolved, when they succeed or are refused${missing ? ` (missing: ${missing})` : ''}`,
    async () => {
      const report = JSON.parse(await run(await compiled(caller, join(import.meta.dirname, 'calls.h')))) as Report;
      expect(report.made.map(({ name }) => name).sort()).toEqual(lists.flat().sort());
      for (const made of report.made) {
        // Where reading a clock is a system call, so is finding out when the call began: of clock 7.
        const own = made.told.filter(({ data }) => !data.endsWith('clockid=7'));
        // A call that is refused before its path is walked is told with the path as it was given.
        const told = own.map(({ rule, path, unresolved, result }) => ({
          rule,
          path: unresolved && result === 0 ? '' : path,
          result,
        }));
        const result = typeof made.result === 'number' && made.result < 0 ? made.result : 0;
        const rule = made.path === undefined ? 'matchSyscalls[0]' : 'matchPaths[0]';
        const expected = { rule, path: made.path ?? '', result };
        expect({ name: made.name, told }).toEqual({ name: made.name, told: isReported(made) ? [expected] : [] });
      }
      const silent = new Set(report.made.filter((made) => !isReported(made)).map(({ name }) => name));
      expect([...silent].filter((name) => !(name in notMade) && !optional.includes(name))).toEqual([]);
      expect(report.counters.ring_audit_lost).toBe(0);
      process.stdout.write(`${JSON.stringify(report.milliseconds)} not made: ${[...silent].join(' ')}\n`);
    },
    1_200_000,
  );
});
