import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../image/build.ts';
import { compiled } from '../image/compile.ts';
import { runCommand } from '../kernel/command.ts';
import { findCgroupRoot, makeCgroup, removeCgroup } from './cgroup.ts';
import type { Machine } from './container.ts';

/** A folder on a tmpfs and a cgroup for one run, with what starts containers and sessions here; disposing leaves nothing. */
export async function openMachine(image: string | undefined): Promise<Machine & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const cgroups = findCgroupRoot();
  const program = (name: string) => compiled(join(import.meta.dirname, name));
  const directory = mkdtempSync('/run/picket-conformance-');
  stack.defer(() => rmSync(directory, { recursive: true }));
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'picket-conformance', directory]);
  stack.defer(async () => void (await runCommand('umount', ['-l', directory])));

  const cgroupParent = directory.slice('/run/'.length);
  makeCgroup(cgroups, cgroupParent);
  // runc leaves the folder in each hierarchy that it used
  stack.defer(() => {
    for (const mount of cgroupMounts()) removeCgroup(join(mount, cgroupParent));
  });
  const machine = {
    image: image ?? (await buildImage()),
    directory,
    cgroups,
    cgroupParent,
    sessions: cgroups.unified
      ? ({ kind: 'runc', shim: await program('shim.c') } as const)
      : ({ kind: 'enter', enter: await program('enter.c') } as const),
  };
  const owned = stack.move();
  return { ...machine, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function cgroupMounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
}
