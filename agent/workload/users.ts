import { readFileSync } from 'node:fs';

/** How the users of a user namespace are numbered outside of it: runs of `count` ids. Empty: the same numbers. */
export type UserMap = readonly { inside: number; outside: number; count: number }[];

/** The kernel's number for a user that has none in a namespace (/proc/sys/kernel/overflowuid). */
const overflowUid = 65534;

/** Reads /proc/PID/uid_map; empty when the process is in the host's user namespace, or has ended. */
export function readUserMap(pid: number): UserMap {
  try {
    const map = parseUserMap(readFileSync(`/proc/${pid}/uid_map`, 'latin1'));
    return map.length === 1 && map[0]?.inside === 0 && map[0].outside === 0 && map[0].count === 0xffff_ffff ? [] : map;
  } catch {
    return [];
  }
}

export function parseUserMap(text: string): UserMap {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((numbers) => numbers.length === 3)
    .map(([inside = 0, outside = 0, count = 0]) => ({ inside, outside, count }));
}

/** The number inside of the user whose number on the node is `uid`. */
export function uidInside(map: UserMap, uid: number): number {
  if (map.length === 0) return uid;
  const run = map.find(({ outside, count }) => uid >= outside && uid < outside + count);
  return run === undefined ? overflowUid : run.inside + (uid - run.outside);
}
