import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { limits } from '../abi.gen.ts';
import { AgentError } from '../error.ts';
import { findCgroup2, parseMounts } from '../kernel/mount.ts';

const cgroup2Magic = 0x63677270;

/** A cgroup v2 directory and those below it. */
export interface CgroupTree {
  /** The kernel's id of each, the top one first. */
  ids: bigint[];
  /** Processes in any of them. */
  pids: number[];
}

/** @throws AgentError `workload` when the path is no cgroup v2 directory */
export function readCgroupTree(path: string): CgroupTree {
  let type: number;
  try {
    type = statfsSync(path).type;
  } catch (cause) {
    throw new AgentError('workload', `the cgroup ${path} does not exist; create it before its workload is registered`, {
      cause,
    });
  }
  if (type !== cgroup2Magic)
    throw new AgentError(
      'workload',
      `${path} is no cgroup v2 directory; found a file system of type 0x${type.toString(16)}`,
    );
  const tree: CgroupTree = { ids: [], pids: [] };
  try {
    visit(path, tree);
  } catch (cause) {
    if (!isGone(cause)) throw cause;
    throw new AgentError('workload', `the cgroup ${path} was removed while it was looked at`, { cause });
  }
  return tree;
}

/**
 * How the kernel side calls a cgroup that is still to be made: its path from the root of the v2 hierarchy. Undefined: the
 * path leads to none, or is too long.
 */
export function expectedPath(
  path: string,
  mountinfo = readFileSync('/proc/self/mountinfo', 'utf8'),
): string | undefined {
  const mounts = parseMounts(mountinfo).filter(({ type }) => type === 'cgroup2');
  const plain = posix.normalize(path).replace(/(.)\/$/, '$1');
  const inside = mounts
    .filter((mount) => plain.startsWith(`${mount.path}/`) && !mount.root.startsWith('/..'))
    .map((mount) => `${mount.root === '/' ? '' : mount.root}${plain.slice(mount.path.length)}`)[0];
  return inside === undefined || Buffer.byteLength(inside) >= limits.CGROUP_PATH ? undefined : inside;
}

/** The kernel's id of a cgroup; undefined: it is gone. */
export function cgroupId(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** True as long as the directory is there. */
export function cgroupExists(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function visit(path: string, tree: CgroupTree): void {
  // The id of a cgroup is the inode number of its directory (64-bit kernels).
  tree.ids.push(statSync(path, { bigint: true }).ino);
  tree.pids.push(...readPids(path));
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) {
      try {
        visit(join(path, entry.name), tree);
      } catch (error) {
        if (!isGone(error)) throw error; // removed meanwhile
      }
    }
}

/** A cgroup that is removed while its files are open answers ENODEV. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV';
}

function readPids(path: string): number[] {
  try {
    return readFileSync(join(path, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    // A cgroup of threads: the processes stand in one above it.
    if ((error as NodeJS.ErrnoException).code === 'EOPNOTSUPP' || (error as NodeJS.ErrnoException).code === 'ENOTSUP')
      return [];
    throw error;
  }
}

/** Mount point of the cgroup v2 hierarchy; on a machine with both versions it is not /sys/fs/cgroup. */
export function cgroup2Mount(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string | undefined {
  return findCgroup2(parseMounts(mountinfo));
}
