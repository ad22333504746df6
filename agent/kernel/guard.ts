import { statSync } from 'node:fs';
import type { Link } from './link.ts';
import type { BpfObject } from './object.ts';
import type { PinnedPrograms } from './pins.ts';

/**
 * The programs that act on the sockets of single cgroups (tracepoint backend): attached to the cgroup of each workload and
 * to no other. Where there are pins they outlive the agent, in a folder for each cgroup, named by its id.
 */
export class CgroupGuards {
  readonly #object: BpfObject;
  readonly #programs: readonly string[];
  readonly #pins: PinnedPrograms | undefined;
  readonly #guarded = new Map<string, { id: string; links: Link[] }>();

  constructor(object: BpfObject, programs: readonly string[], pins: PinnedPrograms | undefined) {
    this.#object = object;
    this.#programs = programs;
    this.#pins = pins;
  }

  /** Attaches to the cgroup with this path, if there is one, what is not attached yet. It may vanish meanwhile. */
  guard(cgroup: string): void {
    if (this.#programs.length === 0 || this.#guarded.has(cgroup)) return;
    const folder = statSync(cgroup, { bigint: true, throwIfNoEntry: false });
    if (folder === undefined) return; // still to be made, or vanished just now
    const id = String(folder.ino);
    const there = this.#pins?.cgroupPrograms(id) ?? [];
    const links: Link[] = [];
    this.#guarded.set(cgroup, { id, links });
    try {
      for (const program of this.#programs) {
        if (there.includes(program)) continue;
        const link = this.#object.attach(program, cgroup);
        links.push(link);
        this.#pins?.pinCgroup(id, link);
      }
    } catch (error) {
      this.release(cgroup); // all of them or none: whoever asks again begins anew
      if (String(statSync(cgroup, { bigint: true, throwIfNoEntry: false })?.ino) === id) throw error;
    }
  }

  /** Takes the programs off a cgroup, which may be gone. */
  release(cgroup: string): void {
    const guarded = this.#guarded.get(cgroup);
    if (guarded === undefined) return;
    this.#guarded.delete(cgroup);
    for (const link of guarded.links) link[Symbol.dispose]();
    this.#pins?.removeCgroup(guarded.id);
  }

  /** Removes the pins of cgroups that do not belong to a workload any more. */
  collect(isAlive: (id: bigint) => boolean): void {
    for (const id of this.#pins?.cgroups ?? []) if (!isAlive(BigInt(id))) this.#pins?.removeCgroup(id);
  }

  /** Ends their use here: pinned ones go on acting. */
  keep(): void {
    for (const { links } of this.#guarded.values()) for (const link of links) link.keep();
    this.#guarded.clear();
  }

  get links(): Link[] {
    return [...this.#guarded.values()].flatMap(({ links }) => links);
  }
}
