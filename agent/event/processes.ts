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
  /** When the last thread ended. */
  exitedNs?: bigint;
}

/** Reads a process that was there before its events, or whose events were lost. Undefined: gone, or its pid taken over. */
export type ProcessReader = (pid: number, startNs: bigint) => Process | undefined;

const keepExitedNs = 60_000_000_000n;

/**
 * The processes of all workloads, kept up to date from the ring. Ended ones stay for a minute, for alerts about their
 * children and for events that arrive late. Bounded: beyond `limit` the oldest entries go, and are read from /proc again
 * where they still live.
 */
export class ProcessTable {
  readonly #processes = new Map<string, Process>();
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

  /** The process, from events or, where these are missing, from /proc. */
  find(pid: number, startNs: bigint): Process | undefined {
    const key = keyOf(pid, startNs);
    const known = this.#processes.get(key);
    if (known !== undefined) return known;
    const read = this.#read(pid, startNs);
    if (read !== undefined) this.#add(key, read);
    return read;
  }

  /** A fork: the child runs its parent's program until it executes one. */
  forked(event: EventRecord): void {
    const parent = this.find(event.ppid, event.parentStartNs);
    this.#add(keyOf(event.pid, event.startNs), {
      ...identity(event),
      executable: parent?.executable ?? '',
      args: parent?.args ?? [],
      argsTruncated: parent?.argsTruncated ?? false,
      cwd: parent?.cwd ?? '',
    });
  }

  executed(event: EventRecord, argsTruncated: boolean): void {
    const process = {
      ...identity(event),
      executable: event.path,
      args: event.args.slice(1),
      argsTruncated,
      cwd: event.cwd,
    };
    this.#add(keyOf(event.pid, event.startNs), process);
  }

  exited(event: EventRecord): void {
    const process = this.#processes.get(keyOf(event.pid, event.startNs));
    if (process !== undefined) process.exitedNs = event.timeNs;
  }

  /** Forgets processes that ended more than a minute before `nowNs`. */
  expire(nowNs: bigint): void {
    for (const [key, process] of this.#processes)
      if (process.exitedNs !== undefined && nowNs - process.exitedNs > keepExitedNs) this.#processes.delete(key);
  }

  #add(key: string, process: Process): void {
    this.#processes.delete(key);
    this.#processes.set(key, process);
    if (this.#processes.size <= this.#limit) return;
    for (const oldest of this.#processes.keys()) {
      this.#processes.delete(oldest);
      this.evicted++;
      break;
    }
  }
}

function keyOf(pid: number, startNs: bigint): string {
  return `${pid}:${startNs}`;
}

function identity(event: EventRecord) {
  const { pid, vpid, startNs, ppid, parentStartNs, uid } = event;
  return { pid, vpid, startNs, ppid, parentStartNs, uid };
}
