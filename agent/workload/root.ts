import { execFileSync } from 'node:child_process';
import { readlinkSync, statSync } from 'node:fs';

let known: string | undefined;

/**
 * Path of this process's root directory, seen from the root of its mount namespace: `/`, unless it was started in a
 * chroot. Rules are compared with paths from the root of the namespace, while the policies of a local workload name what
 * it sees itself; this is the difference.
 */
export function ownRootPath(): string {
  known ??= findRootPath();
  return known;
}

function findRootPath(): string {
  const first = '/proc/1';
  try {
    if (readlinkSync('/proc/self/ns/mnt') !== readlinkSync(`${first}/ns/mnt`)) return '/';
    const [own, namespace] = [statSync('/'), statSync(`${first}/root/`)];
    if (own.dev === namespace.dev && own.ino === namespace.ino) return '/';
    // A link in /proc reads as the reader's own root shows it: somebody whose root is the namespace's must read it.
    const path = execFileSync('chroot', [`${first}/root`, 'readlink', `/proc/${process.pid}/root`], {
      encoding: 'utf8',
    });
    return path.trim() || '/';
  } catch {
    return '/'; // no such rights or programs: then this is no place where a chroot was prepared for us
  }
}
