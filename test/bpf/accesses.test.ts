import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bootGuest } from '../kernel/guest.ts';
import type { Outcome, Session } from './accesses.ts';

const program = join(import.meta.dirname, 'accesses.ts');

/** A command, and the alerts that it makes; one that makes a `deny` is refused, all others succeed. */
type Expected = readonly [command: string, ...alerts: string[]];
interface Case {
  before?: string;
  ownMounts?: boolean;
  steps: (Expected | { spec: Record<string, unknown> })[];
}

const python = (text: string) => `python3 -S -c '${text}'`;
const system = 'import ctypes, sys; c = ctypes.CDLL(None); ';
/** renameat2 of `a` and `b`, flags 1 (do not replace), 2 (exchange), 4 (leave a whiteout). */
const rename = (a: string, b: string, flags: number) =>
  python(`${system}sys.exit(-c.renameat2(-100, b"@/${a}", -100, b"@/${b}", ${flags}))`);
const audit = { file: { action: 'Audit', matchDirectories: [{ dir: '@/d/', recursive: true }] } };

const as = (uid: number, command: string) => `setpriv --reuid ${uid} --regid ${uid} --clear-groups ${command}`;
const idmap = join(import.meta.dirname, 'idmap.py');
const overlay =
  'mkdir @/l @/u @/m; mount -t tmpfs none @/u; mkdir @/u/u @/u/w; mount -t overlay -o lowerdir=@/l,upperdir=@/u/u,workdir=@/u/w none @/m';

const cases: Record<string, Case> = {
  'one access is one alert': {
    before:
      'mkdir -p @/d/sub @/d/t @/free; touch @/d/old @/free/f; chmod 644 @/d/old; mount -t tmpfs none @/d/t; touch @/d/t/a',
    steps: [
      { spec: audit },
      ['cat @/d/old', 'alert OPEN d/old'],
      ['ls @/d', 'alert OPEN d'],
      ['echo x >@/d/new', 'alert MKNOD d/new'],
      ['echo x >@/d/new', 'alert OPEN d/new'],
      ['echo x >>@/d/new', 'alert OPEN d/new'],
      ['exec 4>>@/d/new; echo 1 >&4; echo 2 >&4; exec 4>&-', 'alert OPEN d/new'],
      ['mkdir @/d/m', 'alert MKDIR d/m'],
      ['rmdir @/d/m', 'alert RMDIR d/m'],
      ['ln -s nowhere @/d/s', 'alert SYMLINK d/s'],
      ['mkfifo @/d/p', 'alert MKNOD d/p'],
      ['chmod 600 @/d/old', 'alert CHMOD d/old'],
      ['chown 1:1 @/d/old', 'alert CHOWN d/old'],
      ['chown -h 1:1 @/d/s', 'alert CHOWN d/s'],
      [python('import os; os.truncate("@/d/old", 5)'), 'alert TRUNCATE d/old'],
      ['truncate -s 3 @/d/old', 'alert OPEN d/old', 'alert TRUNCATE d/old'],
      ['rm @/d/s', 'alert UNLINK d/s'],
      ['ln @/d/old @/d/hard', 'alert LINK d/old'],
      ['ln @/free/f @/d/hard2', 'alert LINK d/hard2'],
      ['ln @/d/old @/free/hard', 'alert LINK d/old'],
      ['mv @/d/old @/d/older', 'alert RENAME d/old'],
      ['mv @/free/f @/d/f', 'alert RENAME d/f'],
      ['mv @/d/f @/free/f', 'alert RENAME d/f'],
      [rename('free/f', 'd/older', 2), 'alert RENAME d/older'],
      [rename('d/t/a', 'd/t/b', 4), 'alert RENAME d/t/a'],
      [python('import os; f = os.open("@/d/t", os.O_TMPFILE | os.O_RDWR); os.write(f, b"x")'), 'alert OPEN d/t/#'],
      [python('import socket; socket.socket(socket.AF_UNIX).bind("@/d/socket")'), 'alert MKNOD d/socket'],
      [python('import os; os.close(os.open("@/d/new", os.O_PATH)); os.stat("@/d/new")')],
      ['exec 5<>@/d/new; rm @/d/new; echo 1 >&5; exec 5>&-', 'alert OPEN d/new', 'alert UNLINK d/new'],
    ],
  },
  'of two names the stronger verdict counts': {
    before: 'mkdir @/d @/blocked; touch @/d/a @/blocked/b',
    steps: [
      {
        spec: {
          file: {
            matchDirectories: [
              { dir: '@/d/', action: 'Audit' },
              { dir: '@/blocked/', action: 'Block' },
            ],
          },
        },
      },
      ['mv @/d/a @/blocked/a', 'deny RENAME blocked/a'],
      ['mv -n @/blocked/b @/d/b', 'deny RENAME blocked/b'],
      ['ln @/d/a @/blocked/a', 'deny LINK blocked/a'],
      [rename('d/a', 'blocked/b', 2), 'deny RENAME blocked/b'],
      ['mv @/d/a @/d/c', 'alert RENAME d/a'],
    ],
  },
  'a write is judged on use': {
    before: 'mkdir @/a; echo 1 >@/a/f; echo 1 >@/g; echo 1 >@/other',
    steps: [
      ['exec 4>>@/a/f 5>>@/g 6<>@/other; echo 1 >&4; echo 1 >&5; echo 1 >&6'],
      {
        spec: {
          file: {
            matchPaths: [
              { path: '@/b/f', readOnly: true },
              { path: '@/g', readOnly: true },
            ],
          },
        },
      },
      ['echo 2 >&4; echo 3 >&4'],
      ['echo 2 >&5', 'deny PERMISSION g'],
      ['echo 3 >&5', 'deny PERMISSION g'],
      ['cat @/g'],
      ['mv @/a @/b'],
      ['echo 4 >&4', 'deny PERMISSION b/f'],
      ['mv @/b @/c; echo 5 >&4'],
      ['mkdir @/mnt; mount --bind @/c @/mnt; echo 6 >&4; umount @/mnt'],
      {
        spec: { file: { action: 'Audit', matchPaths: [{ path: '@/other', fromSource: [{ path: '/usr/bin/head' }] }] } },
      },
      ['echo 2 >&6'],
      ['head -n 1 @/g >&6', 'alert PERMISSION other'],
      { spec: { file: { action: 'Audit', matchPaths: [{ path: '@/other' }] } } },
      ['echo 3 >&6', 'alert PERMISSION other'],
      ['exec 6>>@/other; echo 4 >&6', 'alert OPEN other'],
      ['head -n 1 @/g >&6', 'alert PERMISSION other'],
      [python('import os; os.posix_fallocate(6, 0, 100)'), 'alert PERMISSION other'],
    ],
  },
  'an open that failed hides no later truncation': {
    before: 'mkdir @/d; echo 1 >@/d/f; ln @/d/f @/d/g',
    steps: [
      { spec: audit },
      [
        python(
          'import os\nfor n in "fg": os.close(os.open("@/d/" + n, os.O_WRONLY | os.O_TRUNC)); os.truncate("@/d/" + n, 0)',
        ),
        'alert OPEN d/f',
        'alert TRUNCATE d/f',
        'alert OPEN d/g',
        'alert TRUNCATE d/g',
      ],
    ],
  },
  'a terminal that is open is not judged': {
    steps: [
      ['exec 4>/dev/console'],
      { spec: { file: { matchPaths: [{ path: '/dev/console' }] } } },
      ['echo test >&4'],
      ['echo test >/dev/console', 'deny OPEN /dev/console'],
    ],
  },
  'a descriptor of the node may be written through, and not opened': {
    ownMounts: true,
    before: 'mkdir @/d; echo 1 >@/handed; ',
    steps: [
      { spec: { file: { matchPaths: [{ path: '@/handed', readOnly: true }] } } },
      ['echo test >&3'],
      ['echo test >>@/handed', 'deny OPEN handed'],
      ['echo test >/proc/self/fd/3', 'deny OPEN handed'],
      ['unshare -m sh -c "echo test >&3"'],
    ],
  },
  'pipes and memory files are no objects': {
    steps: [
      { spec: { file: { action: 'Allow', matchDirectories: [{ dir: '/', recursive: true, readOnly: true }] } } },
      ['echo 1 | cat'],
      [python('import os; f = os.memfd_create("m"); os.write(f, b"1"); os.open("/proc/self/fd/%d" % f, os.O_RDWR)')],
      [python('import socket; a, b = socket.socketpair(); a.send(b"1")')],
    ],
  },
  'the owner is the one that an idmapped mount shows': {
    before: `
      truncate -s 16M @/disk; mkfs.ext4 -q @/disk; mkdir @/plain @/mapped; modprobe loop; mount -o loop @/disk @/plain
      echo 1 >@/plain/f; chown 1000 @/plain @/plain/f; chmod 777 @/plain; chmod 666 @/plain/f; chmod 755 @
      python3 ${idmap} @/plain @/mapped`,
    steps: [
      {
        spec: { file: { matchDirectories: ['plain', 'mapped'].map((dir) => ({ dir: `@/${dir}/`, ownerOnly: true })) } },
      },
      [as(1000, 'cat @/plain/f')],
      [as(101000, 'cat @/plain/f'), 'deny OPEN plain/f'],
      [as(101000, 'cat @/mapped/f')],
      [as(1000, 'cat @/mapped/f'), 'deny OPEN mapped/f'],
      [as(101000, 'mkdir @/mapped/d')],
      [as(1000, 'mkdir @/mapped/e'), 'deny MKDIR mapped/e'],
      [as(101000, 'chmod 600 @/mapped/f')],
      [as(0, 'chmod 666 @/mapped/f'), 'deny CHMOD mapped/f'],
    ],
  },
  'a creation that is none is not told': {
    before: `${overlay}; for f in a b c; do echo 1 >@/l/$f; done`,
    steps: [
      { spec: { file: { action: 'Allow', matchDirectories: [{ dir: '/', recursive: true, readOnly: true }] } } },
      [python('import os; os.open("@/m/a", os.O_RDONLY | os.O_CREAT)')],
      ['echo 1 >@/m/b', 'deny OPEN m/b'],
      ['echo 1 >@/m/none', 'deny MKNOD m/none'],
      ['echo 1 >@/m/none', 'deny MKNOD m/none'],
      ['mkfifo @/m/fifo', 'deny MKNOD m/fifo'],
      ['cat @/m/c'],
    ],
  },
  'a stacked file system works under an allow-list, and is judged once': {
    before: `${overlay}; for f in f h; do echo 1 >@/l/$f; done; mkdir @/l/dir`,
    steps: [
      {
        spec: {
          file: {
            matchDirectories: [
              { dir: '/', recursive: true, action: 'Allow', readOnly: true },
              { dir: '/dev/', recursive: true, action: 'Allow' },
              { dir: '@/m/', recursive: true, action: 'Audit' },
            ],
          },
        },
      },
      ['echo 2 >>@/m/f', 'alert OPEN m/f'],
      ['echo 2 >>@/m/new', 'alert MKNOD m/new'],
      ['echo 2 >@/m/h', 'alert OPEN m/h'],
      ['ls @/m', 'alert OPEN m'],
      ['echo 3 >@/m/f', 'alert OPEN m/f'],
      ['mv @/m/f @/m/g', 'alert RENAME m/f'],
      ['rm @/m/g', 'alert UNLINK m/g'],
      ['echo 1 >@/u/u/x', 'deny MKNOD u/u/x'],
      ['echo done'],
    ],
  },
};

const names = Object.keys(cases);
const isSpec = (step: Expected | { spec: Record<string, unknown> }): step is { spec: Record<string, unknown> } =>
  'spec' in step;
const sessions = names.map((name): Session => {
  const { steps, ...rest } = cases[name] as Case;
  return { ...rest, steps: steps.map((step) => (isSpec(step) ? step : step[0])) };
});

describe.each(['6.1', '6.12'] as const)('accesses to files on %s', (kernel) => {
  let outcomes: Outcome[][];
  beforeAll(async () => {
    await using guest = await bootGuest({ kernel });
    const { status, stdout, stderr } = await guest.run([process.execPath, program], {
      stdin: JSON.stringify(sessions),
      timeoutMs: 300_000,
    });
    expect(status, String(stderr)).toBe(0);
    outcomes = (JSON.parse(String(stdout)) as { outcomes: Outcome[][] }).outcomes;
  });

  it.each(names)('%s', (name) => {
    const expected = (cases[name] as Case).steps.filter((step) => !isSpec(step)) as Expected[];
    const found = (outcomes[names.indexOf(name)] ?? []).map(({ command, status, output, alerts }) => {
      const refused = alerts.some((alert) => alert.startsWith('deny'));
      return [
        command,
        // The number of a file without a name is not known beforehand.
        ...alerts.map((alert) => alert.replace(/#\d+$/, '#')),
        ...((status === 0) === refused ? [`status ${status}: ${output}`] : []),
      ];
    });
    expect(found).toEqual(expected);
  });
});
