export interface Mount {
  /** Where it is mounted, absolute. */
  path: string;
  /** The folder of the file system that is seen there; `/` for all of it. */
  root: string;
  /** File system, such as `cgroup2`. */
  type: string;
}

/**
 * The mounts that /proc/PID/mountinfo lists, in its order; broken lines are left out.
 *
 * ```
 * 38 31 0:35 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
 *            root mount point                      (any)     type
 * ```
 * Source: Documentation/filesystems/proc.rst, section 3.5.
 */
export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ', 2);
    const [, , , root, path] = before?.split(' ') ?? [];
    const type = after?.split(' ')[0];
    return root === undefined || path === undefined || !type
      ? []
      : [{ path: decodeOctal(path), root: decodeOctal(root), type }];
  });
}

/**
 * Where the whole cgroup v2 hierarchy is mounted: alone (/sys/fs/cgroup) or beside version 1 (often /sys/fs/cgroup/unified).
 * A mount of the whole hierarchy is preferred to that of a subtree, as containers have it.
 */
export function findCgroup2(mounts: readonly Mount[]): string | undefined {
  const found = mounts.filter((mount) => mount.type === 'cgroup2');
  return (found.find((mount) => mount.root === '/') ?? found[0])?.path;
}

/** Blank, tab, newline and backslash come as three octal digits. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
