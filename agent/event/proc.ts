import { readFileSync, readlinkSync } from 'node:fs';
import { type Process, startGranuleNs } from './processes.ts';

/**
 * Reads a living process from /proc. A pid is used again after its process ended: the start time must agree (to the 10 ms
 * that /proc tells).
 */
export function readProcess(pid: number, startNs: bigint): Process | undefined {
  try {
    const stat = readStat(pid);
    if (stat.startTicks !== startNs / startGranuleNs) return undefined;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const vpids = /^NSpid:\s+(.+)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    return {
      pid,
      startNs,
      vpid: Number(vpids.at(-1) ?? pid),
      ppid: stat.ppid,
      parentStartNs: readStart(stat.ppid) ?? 0n,
      uid: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      executable: readExecutable(pid),
      args: readArguments(pid),
      argsTruncated: false,
      cwd: readlinkSync(`/proc/${pid}/cwd`),
    };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** The arguments after the first; a process that wrote a title of its own may have left out the last zero byte. */
function readArguments(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0').slice(1);
}

/** Start of a living process, nanoseconds since boot rounded down to what /proc tells. Undefined: it ended. */
export function readStart(pid: number): bigint | undefined {
  try {
    return readStat(pid).startTicks * startGranuleNs;
  } catch {
    return undefined;
  }
}

/** Path of the program as the process's own mount namespace names it; a removed one keeps its name. */
function readExecutable(pid: number): string {
  return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
}

/**
 * Ends a process; false: it has ended by itself. Between the look at its start and the signal its number cannot be used again
 * unless all others are.
 */
export function killProcess(pid: number, startNs: bigint): boolean {
  try {
    if (readStat(pid).startTicks !== startNs / startGranuleNs) return false;
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Clock ticks are hundredths of a second (USER_HZ) on every architecture Picket runs on. */
function readStat(pid: number): { ppid: number; startTicks: bigint } {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { ppid: Number(fields[1]), startTicks: BigInt(fields[19] ?? '0') };
}
