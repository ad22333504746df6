import { readFileSync, readlinkSync } from 'node:fs';
import type { Process } from './processes.ts';

/** Clock ticks per second in /proc/PID/stat: USER_HZ, 100 on every architecture Picket runs on. */
const ticksPerSecond = 100n;
const nsPerTick = 1_000_000_000n / ticksPerSecond;

/**
 * Reads a living process from /proc. A pid is used again after its process ended: the start time must agree (to the 10 ms
 * that /proc tells).
 */
export function readProcess(pid: number, startNs: bigint): Process | undefined {
  try {
    const stat = readStat(pid);
    if (stat.startTicks !== startNs / nsPerTick) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(1, -1);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const vpids = /^NSpid:\s+(.+)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    const parent = stat.ppid > 0 ? readStat(stat.ppid).startTicks * nsPerTick : 0n;
    return {
      pid,
      startNs,
      vpid: Number(vpids.at(-1) ?? pid),
      ppid: stat.ppid,
      parentStartNs: parent,
      uid: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      executable: readExecutable(pid),
      args,
      argsTruncated: false,
      cwd: readlinkSync(`/proc/${pid}/cwd`),
    };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** Path of the program as the process's own mount namespace names it; a removed one keeps its name. */
export function readExecutable(pid: number): string {
  return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
}

function readStat(pid: number): { ppid: number; startTicks: bigint } {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { ppid: Number(fields[1]), startTicks: BigInt(fields[19] ?? '0') };
}
