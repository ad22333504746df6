import type { EventRecord } from './record.ts';

/** What is known of a process of a workload. Times are nanoseconds since boot. */
export interface Process {
  pid: number;
  vpid: number;
  startNs: bigint;
  ppid: number;
  parentStartNs: bigint;
  uid: number;
  /** Canonical path of the program; empty: unknown. */
  executable: string;
  /** Arguments after the first. */
  args: readonly string[];
  argsTruncated: boolean;
  cwd: string;
  /** When it executed the program. */
  sinceNs?: bigint;
  /** What it was before. */
  before?: Process;
  /** When the last thread ended. */
  exitedNs?: bigint;
}

/** Reads a process that was there before its events, or whose events were lost. Undefined: gone, or its pid taken over. */
export type ProcessReader = (pid: number, startNs: bigint) => Process | undefined;

/** What /proc tells of a start time: hundredths of a second, rounded down. */
export const startGranuleNs = 10_000_000n;

const keepExitedNs = 60_000_000_000n;

interface Entry {
  process: Process;
  /** Read from /proc, so no event tells when it executes another program or ends. */
  read: boolean;
  /** Since when what was read counts as old: it is read again when somebody asks. */
  staleNs: bigint | undefined;
}

/**
 * The processes of all workloads, kept up to date from the ring, and those outside that act on them, which are read from
 * /proc and may be a few seconds old. Ended ones stay for a minute, for alerts about their children and for events that
 * arrive late. Bounded: beyond `limit` the oldest entries go, and are read from /proc again where they still live.
 */
export class ProcessTable {
  readonly #processes = new Map<string, Entry>();
  readonly #read: ProcessReader;
  readonly #limit: number;
  evicted = 0;

  constructor(read: ProcessReader, limit = 100_000) {
    this.#read = read;
    this.#limit = limit;
  }

  get size(): number {
    return this.#processes.size;
  }

  /** The process as it was at `atNs`, by default as it is, from events. */
  find(pid: number, startNs: bigint, atNs?: bigint): Process | undefined {
    let process = this.#find(pid, startNs);
    while (atNs !== undefined && process?.before !== undefined && (process.sinceNs ?? 0n) > atNs)
      process = process.before;
    return process;
  }

  /** The process, from events or, where these are missing, from /proc. */
  #find(pid: number, startNs: bigint): Process | undefined {
    const key = keyOf(pid, startNs);
    const known = this.#processes.get(key);
    if (known !== undefined && known.staleNs === undefined) {
      if (known.read) known.process.startNs = exact(startNs, known.process.startNs);
      return known.process;
    }
    const process = this.#read(pid, exact(startNs, known?.process.startNs));
    if (process !== undefined) this.#add(key, { process, read: true, staleNs: undefined });
    return process ?? known?.process;
  }

  /** A fork: the child runs its parent's program until it executes one. */
  forked(event: EventRecord): void {
    const parent = this.find(event.ppid, event.parentStartNs);
    const process = {
      ...identity(event),
      executable: parent?.executable ?? '',
      args: parent?.args ?? [],
      argsTruncated: parent?.argsTruncated ?? false,
      cwd: parent?.cwd ?? '',
    };
    this.#add(keyOf(event.pid, event.startNs), { process, read: false, staleNs: undefined });
  }

  executed(event: EventRecord, argsTruncated: boolean): void {
    const before = this.#processes.get(keyOf(event.pid, event.startNs))?.process;
    if (before?.before?.before !== undefined) delete before.before.before; // events are read within moments
    const process: Process = {
      ...identity(event),
      executable: event.path,
      args: event.args.slice(1),
      argsTruncated,
      cwd: event.cwd,
      sinceNs: event.timeNs,
      ...(before && { before }),
    };
    this.#add(keyOf(event.pid, event.startNs), { process, read: false, staleNs: undefined });
  }

  exited(event: EventRecord): void {
    const known = this.#processes.get(keyOf(event.pid, event.startNs));
    if (known !== undefined) known.process.exitedNs = event.timeNs;
  }

  /** Forgets processes that ended more than a minute before `nowNs`; what was read from /proc is old from now on. */
  expire(nowNs: bigint): void {
    for (const [key, entry] of this.#processes) {
      const { process, read, staleNs } = entry;
      const since = process.exitedNs ?? staleNs;
      if (since === undefined) entry.staleNs = read ? nowNs : undefined;
      else if (nowNs - since > keepExitedNs && !this.#renew(entry)) this.#processes.delete(key);
    }
  }

  /** Nobody asked for a minute. No event tells the end of a process that was read; those that live stay. */
  #renew(entry: Entry): boolean {
    const { pid, startNs, exitedNs } = entry.process;
    const process = exitedNs === undefined ? this.#read(pid, startNs) : undefined;
    if (process === undefined) return false;
    entry.process = process;
    entry.staleNs = undefined;
    return true;
  }

  #add(key: string, entry: Entry): void {
    this.#processes.delete(key);
    this.#processes.set(key, entry);
    if (this.#processes.size <= this.#limit) return;
    for (const oldest of this.#processes.keys()) {
      this.#processes.delete(oldest);
      this.evicted++;
      break;
    }
  }
}

/** Of two start times of one process the one that is not rounded. */
function exact(asked: bigint, known: bigint | undefined): bigint {
  return known === undefined || asked % startGranuleNs !== 0n ? asked : known;
}

/** A pid is not used again within a hundredth of a second. */
function keyOf(pid: number, startNs: bigint): string {
  return `${pid}:${startNs / startGranuleNs}`;
}

function identity(event: EventRecord) {
  const { pid, vpid, startNs, ppid, parentStartNs, uid } = event;
  return { pid, vpid, startNs, ppid, parentStartNs, uid };
}
