import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cgroup2Mount, cgroupExists, expectedPath, readCgroupTree } from '../../../agent/workload/cgroup.ts';
import { named } from '../kernel/compile.ts';
import { makeCgroup, missingForCgroups } from './cgroups.ts';

describe('cgroup2Mount()', () => {
  const v1 = '30 25 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n';
  it.each([
    ['alone', '31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n', '/sys/fs/cgroup'],
    [
      'beside version 1',
      `${v1}38 31 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
      '/sys/fs/cgroup/unified',
    ],
    ['with a blank in its path', '31 25 0:27 / /mnt/c\\040g rw - cgroup2 none rw\n', '/mnt/c g'],
    ['nowhere', v1, undefined],
    ['nothing mounted', '', undefined],
  ])('finds it %s', (_, mountinfo, path) => {
    expect(cgroup2Mount(mountinfo)).toBe(path);
  });
});

describe('expectedPath()', () => {
  const v2 = '31 25 0:27 / /sys/fs/cgroup rw - cgroup2 none rw\n';
  it.each([
    ['/sys/fs/cgroup/a/b', v2, '/a/b'],
    ['/sys/fs/cgroup//a/b/', v2, '/a/b'],
    ['/sys/fs/cgroup/pids/a', '31 25 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n', undefined],
    ['/sys/fs/cgroup', v2, undefined],
    ['/sys/fs/cgroupother/a', v2, undefined],
    ['/sys/fs/cgroup/a', v2.replace(' / ', ' /kubepods '), '/kubepods/a'],
    ['/sys/fs/cgroup/a', v2.replace(' / ', ' /../.. '), undefined],
    [`/sys/fs/cgroup/${'x'.repeat(510)}`, v2, `/${'x'.repeat(510)}`],
    [`/sys/fs/cgroup/${'x'.repeat(511)}`, v2, undefined],
  ])('of %s', (path, mountinfo, expected) => {
    expect(expectedPath(path, mountinfo)).toBe(expected);
  });
});

describe('readCgroupTree()', () => {
  it('says that a cgroup does not exist, or is none', () => {
    expect(() => readCgroupTree('/nowhere/x')).toThrow(
      'the cgroup /nowhere/x does not exist; create it before its workload is registered',
    );
    expect(() => readCgroupTree(tmpdir())).toThrow(/is no cgroup v2 directory; found a file system of type 0x/);
  });
});

describe.skipIf(missingForCgroups)(named('readCgroupTree() of a real cgroup', missingForCgroups), () => {
  it('gives the ids of the cgroup and those below, and the processes in them', async () => {
    using cgroup = makeCgroup();
    const below = join(cgroup.path, 'a', 'b');
    mkdirSync(below, { recursive: true });
    const ids = [cgroup.path, join(cgroup.path, 'a'), below].map((path) => statSync(path, { bigint: true }).ino);
    expect(readCgroupTree(cgroup.path)).toEqual({ ids, pids: [] });

    const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'inherit'] });
    await once(child, 'spawn');
    writeFileSync(join(below, 'cgroup.procs'), String(child.pid));
    expect(readCgroupTree(cgroup.path)).toEqual({ ids, pids: [child.pid] });
    child.stdin.end();
    await once(child, 'exit');
    expect(readCgroupTree(cgroup.path).pids).toEqual([]);
  });

  it('gives the cgroups of threads too, which tell no processes', () => {
    using cgroup = makeCgroup();
    mkdirSync(join(cgroup.path, 'threads'));
    writeFileSync(join(cgroup.path, 'threads', 'cgroup.type'), 'threaded');
    expect(readCgroupTree(cgroup.path).ids).toHaveLength(2);
  });

  it('cgroupExists() tells whether it is still there', () => {
    const { path } = makeCgroup();
    expect(cgroupExists(path)).toBe(true);
    rmdirSync(path);
    expect(cgroupExists(path)).toBe(false);
  });
});
