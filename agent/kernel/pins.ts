import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, readdirSync, renameSync, rmdirSync, statfsSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AgentError } from '../error.ts';
import { errno } from './errno.ts';
import { KernelError } from './error.ts';
import { call } from './libbpf.ts';
import type { Link } from './link.ts';
import { type BpfMap, createMap, mapTypes } from './map.ts';
import { isThere, objectInfo, openPinned, openPinnedMap, pin } from './pin.ts';

const bpfMagic = 0xcafe4a11;
const recordBytes = 1024;
const firstKey = new Uint8Array(4);
const folderName = /^v(\d+)(-old)?$/;
const cgroupName = /^cgroup-(\d+)$/;

/** What a set of pins says about itself, for the next agent: JSON in a map of one element. */
const recordSchema = z.object({
  /** Of this set; what is on the disk about slots and rule sets belongs to the set that it names. */
  id: z.string().min(1).max(64),
  /** Of the build, backend and machine that the attached programs were made of. */
  digest: z.string().length(64),
  hashKey: z.object({ name: z.string().regex(/^\d{1,20}$/), path: z.string().regex(/^\d{1,20}$/) }),
  /** The agent that uses the set: its pid and when it started, in clock ticks since boot. */
  owner: z.object({ pid: z.int(), start: z.string() }).optional(),
});
export type PinRecord = z.infer<typeof recordSchema>;

/** Ids of kernel objects. */
export interface KernelObjects {
  links: number[];
  programs: number[];
  maps: number[];
}

/** What was taken out of the kernel; empty path: it was not pinned. */
export interface Removed extends KernelObjects {
  path: string;
}

/**
 * The folder in a BPF file system below which programs, links and maps outlive the agent. Each version of the contract with
 * the kernel side (bpf/abi.h) has a set of its own:
 *
 * ```
 * v2/record                        made last: the set is whole, and its programs are those of this build
 * v2/maps/picket_workloads …       one pin for each map
 * v2/programs-BUILD/picket_exec …  one pin for each attached program: its link, which holds the program
 * v2/programs-BUILD/rodata         the constants of these programs
 * v2/calls-RANDOM/…                the links of programs for system calls that rules name, made anew by each agent
 * v2/calls-RANDOM/maps/…           the maps that lead from one of these programs to another
 * v2/programs-BUILD/cgroup-ID/…    links of programs that act on single cgroups
 * v2-old/                          a set that does not fit the programs any more, until others have taken over
 * ```
 */
export class PinFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the folder, mode 0700, and finds out that pins can be made there.
   *
   * @throws AgentError `not-supported` with what is in the way
   */
  open(): void {
    const advice =
      'mount one with "mount -t bpf bpf /sys/fs/bpf", or configure pins: off, and rules end with the agent';
    const type = fileSystemOf(this.path);
    if (type !== bpfMagic)
      throw new AgentError(
        'not-supported',
        `programs cannot be pinned below ${this.path}: found a file system of type 0x${type.toString(16)}, a BPF file system is needed; ${advice}`,
      );
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      const trial = join(this.path, `trial-${process.pid}`);
      mkdirSync(trial, { mode: 0o700 });
      rmdirSync(trial);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const found = code === 'EROFS' ? pinProblem(cause) : `${(cause as Error).message}; ${advice}`;
      throw new AgentError('not-supported', `programs cannot be pinned below ${this.path}: ${found}`, { cause });
    }
  }

  /** All sets that are there, of whatever version, whole or not. */
  get sets(): PinSet[] {
    return list(this.path)
      .filter((name) => folderName.test(name))
      .sort()
      .map((name) => new PinSet(join(this.path, name)));
  }

  /** The set of this version of the contract; whether it is there is another question. */
  of(abi: number): PinSet {
    return new PinSet(join(this.path, `v${abi}`));
  }

  /** Removes the folder when nothing is in it. */
  removeIfEmpty(): void {
    if (list(this.path).length === 0) removeFolder(this.path);
  }
}

/** What is in the way of whoever uses pins, and what to do about it; `cause`: the error of the system or of the kernel. */
export function pinProblem(cause: unknown): string {
  const { message, errno: number = 0 } = cause as NodeJS.ErrnoException;
  switch (Math.abs(number)) {
    case errno.EROFS:
      return 'its file system is read-only; make it writable with "mount -o remount,rw" and repeat';
    case errno.EACCES:
    case errno.EPERM:
      return 'root is needed';
    default:
      return message;
  }
}

/** The pins of one version. */
export class PinSet {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The record; undefined: there is no set, it is not whole, or what it says cannot be read. */
  readRecord(): PinRecord | undefined {
    using map = openPinnedMap(join(this.path, 'record'), 'record');
    if (map === undefined || map.shape.valueBytes !== recordBytes) return undefined;
    const text = Buffer.from(map.lookup(firstKey) ?? []).toString('utf8');
    try {
      return recordSchema.parse(JSON.parse(text.slice(0, Math.max(0, text.indexOf('\0')))));
    } catch {
      return undefined;
    }
  }

  /** Writes the record, whole or not at all. */
  writeRecord(record: PinRecord): void {
    const value = Buffer.alloc(recordBytes);
    if (value.write(JSON.stringify(record)) >= recordBytes) throw new Error('the record of the pins is too long');
    const path = join(this.path, 'record');
    using known = openPinnedMap(path, 'record');
    using made = known ?? createMap({ name: 'picket_record', ...recordShape });
    made.update(firstKey, value);
    if (known === undefined) pin(made.fd, path);
  }

  /** Makes the folder of a new set. */
  make(): void {
    mkdirSync(join(this.path, 'maps'), { recursive: true, mode: 0o700 });
  }

  openMap(name: string): BpfMap | undefined {
    return openPinnedMap(join(this.path, 'maps', pinName(name)), name);
  }

  pinMap(name: string, map: BpfMap): void {
    pin(map.fd, join(this.path, 'maps', pinName(name)));
  }

  /** The attached programs of one build, which is named by its digest. */
  programs(digest: string): PinnedPrograms {
    return new PinnedPrograms(join(this.path, `programs-${digest.slice(0, 16)}`));
  }

  /** A new folder for the programs behind rules on system calls; it is made with the first pin. */
  get calls(): PinnedCalls {
    return new PinnedCalls(this.path, `calls-${randomUUID().slice(0, 8)}`);
  }

  /** The attached programs of other builds. */
  otherPrograms(digest: string): PinnedPrograms[] {
    const { path } = this.programs(digest);
    return this.#programFolders.filter((folder) => folder !== path).map((folder) => new PinnedPrograms(folder));
  }

  /** The programs of other builds go. */
  removeOtherPrograms(digest: string): void {
    const { path } = this.programs(digest);
    for (const folder of this.#programFolders) if (folder !== path) removeTree(folder);
  }

  /** Another name, so that a new set can be made beside this one; the rules stay in force. */
  setAside(): PinSet {
    const aside = new PinSet(`${this.path}-old`);
    aside.remove();
    renameSync(this.path, aside.path);
    return aside;
  }

  /** Takes links, programs and maps out of the kernel, as far as no process holds them. Undefined: there was nothing. */
  remove(): Removed | undefined {
    if (list(dirname(this.path)).every((name) => join(dirname(this.path), name) !== this.path)) return undefined;
    const objects = this.objects;
    // The record goes first: what is left when this is interrupted is no whole set. Then what acts, then what it acts on.
    removeTree(join(this.path, 'record'));
    for (const folder of [...this.#programFolders, ...callFolders(this.path)]) removeTree(folder);
    removeTree(this.path);
    return { path: this.path, ...objects };
  }

  /** What is pinned here. */
  get objects(): KernelObjects {
    const links = new Map<number, number>();
    const maps = new Set<number>();
    const look = (folder: string, linked: boolean): void => {
      for (const name of list(folder, false)) {
        const fd = openPinned(join(folder, name));
        if (fd === undefined) continue;
        const { id, programId } = objectInfo(fd);
        closeSync(fd);
        if (linked && name !== constantsPin) links.set(id, programId);
        else maps.add(id);
      }
    };
    const calls = callFolders(this.path);
    for (const folder of this.#programFolders)
      for (const name of list(folder)) if (cgroupName.test(name)) look(join(folder, name), true);
    for (const folder of [...this.#programFolders, ...calls]) look(folder, true);
    for (const folder of [this.path, ...calls].flatMap((path) => [path, join(path, 'maps')]))
      if (!calls.includes(folder)) look(folder, false);
    return { links: [...links.keys()], programs: [...new Set(links.values())], maps: [...maps] };
  }

  get #programFolders(): string[] {
    return list(this.path)
      .filter((name) => name.startsWith('programs'))
      .map((name) => join(this.path, name));
  }
}

/** The attached programs of one build, and the constants that they were loaded with. */
export class PinnedPrograms {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get names(): string[] {
    return list(this.path, false).filter((name) => name !== constantsPin);
  }

  openConstants(): BpfMap | undefined {
    return openPinnedMap(join(this.path, constantsPin), constantsPin);
  }

  /** Makes the folder anew; what an agent that was ended in the middle had put there goes. */
  make(constants: BpfMap | undefined): void {
    this.remove();
    mkdirSync(this.path, { mode: 0o700 });
    if (constants !== undefined) pin(constants.fd, join(this.path, constantsPin));
  }

  pin(link: Link): void {
    link.pin(join(this.path, link.program));
  }

  /** Ids of the cgroups that programs are attached to. */
  get cgroups(): string[] {
    return list(this.path).flatMap((name) => cgroupName.exec(name)?.[1] ?? []);
  }

  /** The programs that are attached to a cgroup. */
  cgroupPrograms(id: string): string[] {
    return list(this.#cgroup(id), false);
  }

  pinCgroup(id: string, link: Link): void {
    mkdirSync(this.#cgroup(id), { recursive: true, mode: 0o700 });
    link.pin(join(this.#cgroup(id), link.program));
  }

  removeCgroup(id: string): void {
    removeTree(this.#cgroup(id));
  }

  /**
   * Takes over the links to cgroups of another build: each gets the program of the same name in place of its own, at once.
   *
   * @param programFd of the new program; undefined: there is none of this name any more, and the link goes with its folder
   */
  takeCgroups(from: PinnedPrograms, programFd: (program: string) => number | undefined): void {
    for (const id of from.cgroups)
      for (const program of from.cgroupPrograms(id)) {
        const fd = programFd(program);
        const link = fd === undefined ? undefined : openPinned(join(from.#cgroup(id), program));
        if (fd === undefined || link === undefined) continue;
        try {
          call('bpf_link_update', `replacing program ${program} on the cgroup ${id}`, link, fd, null);
          mkdirSync(this.#cgroup(id), { recursive: true, mode: 0o700 });
          pin(link, join(this.#cgroup(id), program));
        } catch (error) {
          // Its cgroup is gone (ENOLINK): so is what it guarded.
          if (!(error instanceof KernelError) || error.errno !== errno.ENOLINK) throw error;
        } finally {
          closeSync(link);
        }
      }
  }

  #cgroup(id: string): string {
    return join(this.path, `cgroup-${id}`);
  }

  unpin(program: string): void {
    unlinkSync(join(this.path, program));
  }

  remove(): void {
    removeTree(this.path);
  }
}

/** Pins of programs that come and go with the rules; those of an earlier agent act until this one has put its own in place. */
export class PinnedCalls {
  readonly path: string;
  readonly #set: string;

  constructor(set: string, name: string) {
    this.#set = set;
    this.path = join(set, name);
  }

  pinLink(fd: number, name: string): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    pin(fd, join(this.path, pinName(name)));
  }

  /** A map of programs forgets them when nobody has it open or pinned any more. */
  pinMap(map: BpfMap): void {
    mkdirSync(join(this.path, 'maps'), { recursive: true, mode: 0o700 });
    pin(map.fd, join(this.path, 'maps', pinName(map.shape.name)));
  }

  unpinLink(name: string): void {
    unlinkSync(join(this.path, pinName(name)));
  }

  /** Those of earlier agents go. Their gates close first, so that none is open beside ours. */
  removeOthers(): void {
    for (const folder of callFolders(this.#set)) {
      if (folder === this.path) continue;
      for (const name of list(join(folder, 'maps'))) {
        using map = openPinnedMap(join(folder, 'maps', name), name);
        map?.delete(firstKey);
      }
      removeTree(folder);
    }
  }
}

function callFolders(set: string): string[] {
  return list(set)
    .filter((name) => name.startsWith('calls-'))
    .map((name) => join(set, name));
}

const constantsPin = 'rodata';
const recordShape = { type: mapTypes.array, keyBytes: 4, valueBytes: recordBytes, maxEntries: 1, flags: 0 };

/**
 * Waits until the kernel has let go of everything, which it does some milliseconds after the last pin and descriptor went.
 *
 * @returns what is still there at the end of the time
 */
export async function untilGone(objects: readonly KernelObjects[], timeoutMs = 5000): Promise<KernelObjects> {
  const left: KernelObjects = {
    links: objects.flatMap(({ links }) => links),
    programs: objects.flatMap(({ programs }) => programs),
    maps: objects.flatMap(({ maps }) => maps),
  };
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    left.links = left.links.filter((id) => isThere('link', id));
    left.programs = left.programs.filter((id) => isThere('prog', id));
    left.maps = left.maps.filter((id) => isThere('map', id));
    if (left.links.length + left.programs.length + left.maps.length === 0 || performance.now() > deadline) return left;
    await sleep(5);
  }
}

/** A BPF file system takes no dots in names. */
function pinName(name: string): string {
  return name.replaceAll('.', '_');
}

/** Names in a folder, none when there is no such folder; without folders on request. */
function list(path: string, folders = true): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => folders || !entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR')
      return [];
    throw error;
  }
}

/** A pin, or a folder with all below it. */
function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) removeTree(join(path, entry.name));
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') unlinkSync(path);
    else if (code !== 'ENOENT') throw error;
  }
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // somebody else's pins, or a mount point
  }
}

/** Type of the file system that holds the path, or would hold it. */
function fileSystemOf(path: string): number {
  for (let at = path; ; at = dirname(at)) {
    try {
      return statfsSync(at).type;
    } catch (error) {
      if (at === '/' || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
