import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where this machine has cgroup v2, and whether it is all it has. */
export interface CgroupRoot {
  path: string;
  /** False on a machine whose controllers are in v1 hierarchies: a container runtime then knows nothing of the v2 one. */
  unified: boolean;
}

/** Finds the cgroup v2 mount; throws when there is none. */
export function findCgroupRoot(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupRoot {
  const path = mountinfo
    .split('\n')
    .find((line) => / - cgroup2 /.test(line))
    ?.split(' ')[4];
  if (!path) throw new Error('no cgroup v2 is mounted on this machine');
  return { path, unified: path === '/sys/fs/cgroup' };
}

/** Makes a cgroup v2 below `root` and returns its path; `removeCgroup` takes it away. */
export function makeCgroup({ path }: CgroupRoot, name: string): string {
  const directory = join(path, name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Removes an empty cgroup; one that is gone already is fine. */
export function removeCgroup(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
