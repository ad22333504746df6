import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../image/build.ts';
import { runCommand } from '../kernel/command.ts';
import { findCgroupRoot, makeCgroup, removeCgroup } from './cgroup.ts';
import type { Machine } from './container.ts';
import { program } from './program.ts';

export interface MachineOptions {
  /** The image's root file system; built when it is not given. */
  image?: string | undefined;
  /** Default: runc where it can, for that is what users have. */
  sessions?: Machine['sessions'] | undefined;
}

/** A folder on a tmpfs and a cgroup for one run, with what starts containers and sessions here; disposing leaves nothing. */
export async function openMachine({ image, sessions }: MachineOptions = {}): Promise<Machine & AsyncDisposable> {
  const reason = await reasonWithoutContainers();
  if (reason) throw new Error(reason);
  await using stack = new AsyncDisposableStack();
  const cgroups = findCgroupRoot();
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
    enter: await program('enter'),
    shim: await program('shim'),
    // runc puts a session into the hierarchy that it knows
    sessions: cgroups.unified ? (sessions ?? 'runc') : 'enter',
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

/**
 * Why no container can be started here, or undefined. In a chroot environment the root of the mount namespace lies
 * outside: runc cannot leave it, and whoever enters the namespace of a container would arrive there.
 */
export async function reasonWithoutContainers(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'containers can be started by root only';
  const stat = ['stat', '--format=%d:%i', '/'] as const;
  const [own, ofNamespace] = await Promise.all([
    runCommand('stat', [...stat.slice(1)]),
    runCommand('nsenter', ['--mount=/proc/self/ns/mnt', ...stat]).catch(() => 'nothing of the kind'),
  ]);
  if (own === ofNamespace) return undefined;
  return 'containers cannot be started in a chroot environment; a mount namespace with a root of its own (pivot_root) will do, or a guest';
}
