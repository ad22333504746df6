import { readlinkSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { AgentError } from '../error.ts';
import { writeHostSlot } from '../kernel/control.ts';
import type { Engine } from '../kernel/engine.ts';
import type { SavedWorkload } from '../state/saved.ts';
import { cgroupExists, cgroupId, expectedPath, readCgroupTree } from './cgroup.ts';
import { hostRecord } from './host.ts';
import { readUserMap, type UserMap } from './users.ts';
import type { WorkloadRecord } from './workload.ts';

/** A workload that the kernel side knows. */
export interface Workload {
  id: bigint;
  slot: number;
  record: WorkloadRecord;
  /** A process inside, through whose root directory the rules' paths are resolved; undefined: none has run yet. */
  rootPid: number | undefined;
  hostMounts: boolean;
  /** Numbers of users in the workload's user namespace. */
  users: UserMap;
  /** Generation of the rule set in force, 0: none yet. */
  generation: number;
  /** Path from the root of the hierarchy of a cgroup that was not there yet when it was last looked for. */
  expected?: string | undefined;
}

/** How long a workload that is gone can still be named, for alerts that are on their way. */
const keepRemovedMs = 60_000;

const fields = abi.workload.fields;
const controlFields = abi.control.fields;
const cgroupValue = (id: bigint, slot: number): Uint8Array => {
  const value = Buffer.alloc(abi.cgroup.size);
  value.writeBigUInt64LE(id, abi.cgroup.fields.workload.offset);
  value.writeUInt32LE(slot, abi.cgroup.fields.slot.offset);
  return value;
};
const pathKey = (path: string): Uint8Array => {
  const key = Buffer.alloc(abi.limits.CGROUP_PATH);
  key.write(path);
  return key;
};
const cgroupKey = (id: bigint): Uint8Array => new Uint8Array(new BigUint64Array([id]).buffer);

/**
 * The workloads of this machine: slots of the kernel's workload table, and the cgroups that lead to them. A workload is
 * prepared first, put under its rules by the caller, and connected last, so that no task of it is ever without rules.
 */
export class WorkloadRegistry {
  readonly #engine: Engine;
  readonly #byContainer = new Map<string, Workload>();
  readonly #byId = new Map<bigint, Workload>();
  readonly #removed = new Map<bigint, { workload: Workload; until: number }>();
  readonly #free: number[] = [];
  /** Slots of workloads that an earlier agent registered and nothing is known of, with their ids. */
  readonly #unknown = new Map<number, bigint>();
  #nextSlot = 1;
  #lastId = 0n;
  #host: Workload | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get all(): Workload[] {
    return [...this.#byContainer.values()];
  }

  /** The node as a workload; undefined while no host policy is in force. */
  get host(): Workload | undefined {
    return this.#host;
  }

  /** Takes a slot for the node. Nothing is judged yet. */
  prepareHost(record: WorkloadRecord): Workload {
    this.#host ??= this.#take(record, { rootPid: undefined, hostMounts: true, users: [] }, 0);
    this.#host.record = record;
    return this.#host;
  }

  /** Gives every task of no container, but the agent's own, a record of the node. */
  connectHost(): void {
    if (this.#host === undefined) return;
    const { control } = this.#engine;
    writeHostSlot(control, this.#host.slot);
    control.store(0, controlFields.host_workload.offset, this.#host.id);
    this.#engine.sweep();
  }

  /** Whether the workload has set up an io_uring, where the backend does not see what is done through it. */
  usesIoUring({ slot }: Workload): boolean {
    const flags = Number(this.#engine.workloads.load(slot, fields.flags.offset) & 0xffff_ffffn);
    return (flags & abi.workloadFlags.WORKLOAD_IO_URING) !== 0;
  }

  /** Forgets the node: its tasks are judged no more. */
  removeHost(): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#engine.control.store(0, controlFields.host_workload.offset, 0n);
    this.#drop(host);
    this.#engine.sweep();
  }

  /** Workloads that an earlier agent registered and nothing is known of but that they are under rules. */
  get unknown(): number {
    return this.#unknown.size;
  }

  /** What has to be on the disk about a workload, so that the next agent knows it again. */
  toSaved({ id, slot, record, expected }: Workload): SavedWorkload {
    return { engine: this.#engine.id, id, slot, expected: expected !== undefined, record };
  }

  /**
   * Takes over the workloads that an earlier agent left in the kernel, under the rules that they have. Those that the disk
   * does not know stay under theirs as long as they live, or until somebody registers them anew.
   *
   * @returns those whose cgroup is gone: they are to be uncovered; and those that live and have no place in these maps
   */
  adopt(saved: readonly SavedWorkload[]): { ended: Workload[]; homeless: WorkloadRecord[] } {
    const { workloads, id: engine } = this.#engine;
    const result: ReturnType<WorkloadRegistry['adopt']> = { ended: [], homeless: [] };
    const host = this.#engine.control.load(0, controlFields.host_workload.offset);
    const bySlot = new Map(saved.filter((each) => each.engine === engine).map((each) => [each.slot, each]));
    for (let slot = 1; slot < abi.limits.MAX_WORKLOADS; slot++) {
      const id = workloads.load(slot, fields.id.offset);
      if (id === 0n) continue;
      const known = bySlot.get(slot);
      for (let free = this.#nextSlot; free < slot; free++) this.#free.push(free);
      this.#nextSlot = slot + 1;
      if (id === host) {
        this.#host = this.#known(slot, id, hostRecord('', {}));
        this.#byId.set(id, this.#host);
        continue;
      }
      if (known?.id !== id) {
        this.#unknown.set(slot, id);
        continue;
      }
      const workload = this.#known(slot, id, known.record);
      this.#byContainer.set(known.record.containerId, workload);
      this.#byId.set(id, workload);
      if (known.expected) workload.expected = expectedPath(known.record.cgroup);
      if (!this.#isExpected(workload) && !this.#isSame(workload)) result.ended.push(workload);
    }
    for (const { record, expected } of saved)
      if (!this.#byContainer.has(record.containerId) && (expected || cgroupExists(record.cgroup)))
        result.homeless.push(record);
    return result;
  }

  /** Processes outside of the cgroups of these workloads that belong to them all the same, by maps of another version. */
  carry(saved: readonly SavedWorkload[]): number {
    const homes = new Map<bigint, { workload: bigint; slot: number }>();
    for (const { engine, id, record } of saved) {
      const workload = engine === this.#engine.id ? undefined : this.#byContainer.get(record.containerId);
      if (workload !== undefined) homes.set(id, { workload: workload.id, slot: workload.slot });
    }
    return homes.size === 0 ? 0 : this.#engine.carryTasks(homes);
  }

  /** Empties the slots of unknown workloads that have no cgroup any more, and returns them. */
  removeUnknown(): number[] {
    if (this.#unknown.size === 0) return [];
    const alive = new Set<bigint>();
    for (const [, value] of this.#engine.map('picket_cgroups').entries())
      alive.add(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true));
    const ended = [...this.#unknown].filter(([, id]) => !alive.has(id));
    for (const [slot] of ended) {
      this.#unknown.delete(slot);
      this.#empty(slot);
    }
    return ended.map(([slot]) => slot);
  }

  /** The workload that an event is about, also when it ended less than a minute ago. */
  find(id: bigint): Workload | undefined {
    return this.#byId.get(id) ?? this.#removed.get(id)?.workload;
  }

  findContainer(containerId: string): Workload | undefined {
    return this.#byContainer.get(containerId);
  }

  /**
   * Takes a slot for a new workload, or the new record of a known one. Nothing is judged yet.
   *
   * @throws AgentError `workload` when the cgroup does not fit or the table is full
   */
  prepare(record: WorkloadRecord): Workload {
    const known = this.#byContainer.get(record.containerId);
    if (known !== undefined) {
      if (known.record.cgroup !== record.cgroup)
        throw new AgentError(
          'workload',
          `container ${record.containerId} is registered with the cgroup ${known.record.cgroup}; remove it first`,
        );
      known.record = record;
      return known;
    }
    const isAwaited = record.expected === true && !cgroupExists(record.cgroup);
    const expected = isAwaited ? expectedPath(record.cgroup) : undefined;
    if (expected !== undefined) {
      // Whoever makes the cgroup and enters it is under the rules from its first program on.
      const nobody = { rootPid: undefined, hostMounts: record.hostMounts === true, users: [] };
      const workload = this.#take(record, nobody, 0);
      workload.expected = expected;
      this.#byContainer.set(record.containerId, workload);
      return workload;
    }
    const { ids, pids } = readCgroupTree(record.cgroup);
    const unknown = this.#ofCgroup(ids[0]);
    for (const [slot, id] of this.#unknown)
      if (id === unknown) {
        // It is the one that an earlier agent left: it stays under its rules until it is put under those of today.
        this.#unknown.delete(slot);
        const workload = this.#known(slot, id, record);
        this.#byContainer.set(record.containerId, workload);
        this.#byId.set(id, workload);
        return workload;
      }
    const rootPid = pids.find((pid) => mountNamespace(pid) !== undefined);
    const namespace = rootPid === undefined ? undefined : mountNamespace(rootPid);
    const hostMounts =
      record.hostMounts === true || (namespace !== undefined && namespace === mountNamespace(process.pid));
    const users = rootPid === undefined ? [] : readUserMap(rootPid);
    const workload = this.#take(record, { rootPid, hostMounts, users }, namespace ?? 0);
    this.#byContainer.set(record.containerId, workload);
    return workload;
  }

  /** A slot of the kernel's table, filled in. @throws AgentError `workload` when the table is full */
  #take(
    record: WorkloadRecord,
    found: Pick<Workload, 'rootPid' | 'hostMounts' | 'users'>,
    namespace: number,
  ): Workload {
    const slot = this.#free.pop() ?? this.#nextSlot++;
    if (slot >= abi.limits.MAX_WORKLOADS) {
      this.#nextSlot--;
      throw new AgentError('workload', `the table of workloads is full (${abi.limits.MAX_WORKLOADS})`);
    }
    const workload: Workload = { id: this.#newId(), slot, record, ...found, generation: 0 };
    const { buffer, byteOffset } = this.#engine.workloads.element(slot);
    const element = Buffer.from(buffer, byteOffset, abi.workload.size);
    element.fill(0);
    const started = found.rootPid !== undefined || record.host ? abi.workloadFlags.WORKLOAD_STARTED : 0;
    const mounts = found.hostMounts ? abi.workloadFlags.WORKLOAD_HOST_MOUNTS : 0;
    element.writeUInt32LE(mounts | started, fields.flags.offset);
    element.writeUInt32LE(namespace, fields.mount_namespace.offset);
    this.#engine.workloads.store(slot, fields.id.offset, workload.id);
    this.#byId.set(workload.id, workload);
    return workload;
  }

  /** Leads the tasks of the workload's cgroups to it: those to come, and those that are there. */
  connect(workload: Workload): void {
    this.guard(workload);
    this.#lead(workload);
    this.#engine.sweep();
  }

  /** The same for all of them, as an earlier agent may have been ended in the middle of it. */
  connectAll(): void {
    for (const workload of this.all) {
      try {
        this.guard(workload);
        this.#lead(workload);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error; // its cgroup is gone: `ended` tells
      }
    }
    this.#engine.collectGuards();
    this.#engine.sweep();
  }

  /** Puts the workload's sockets under its rules, where that is done by cgroup; one that is still to be made has none. */
  guard({ record: { cgroup } }: Workload): void {
    this.#engine.guard(cgroup);
  }

  #lead(workload: Workload): void {
    if (workload.expected !== undefined) {
      this.#engine.map('picket_expected').update(pathKey(workload.expected), cgroupValue(workload.id, workload.slot));
      if (!cgroupExists(workload.record.cgroup)) return; // the kernel side leads it when it is made
      this.#isExpected(workload);
    }
    const cgroups = this.#engine.map('picket_cgroups');
    const known = new Set<bigint>();
    // A cgroup that is made below one that the kernel knows inherits the workload; below one not yet known it does not: look
    // until there is no other.
    for (let more = true; more; ) {
      more = false;
      for (const id of readCgroupTree(workload.record.cgroup).ids) {
        if (known.has(id)) continue;
        cgroups.update(cgroupKey(id), cgroupValue(workload.id, workload.slot));
        known.add(id);
        more = true;
      }
    }
  }

  /** Processes in the workload's cgroups. */
  pids({ record }: Workload): number[] {
    if (!cgroupExists(record.cgroup)) return [];
    try {
      return readCgroupTree(record.cgroup).pids;
    } catch (error) {
      if (error instanceof AgentError) return []; // it was removed just now
      throw error;
    }
  }

  /**
   * A living process whose root directory is the workload's; undefined: none runs. A pid alone does not tell: it may be
   * somebody else's by now, so the process must be in the workload's cgroup, and in the mount namespace of its programs.
   */
  rootPid(workload: Workload): number | undefined {
    if (workload.rootPid === undefined) return undefined;
    const pids = this.pids(workload);
    const namespace = Number(this.#engine.workloads.load(workload.slot, fields.flags.offset) >> 32n);
    const fits = (pid: number): boolean => {
      const own = mountNamespace(pid);
      return own !== undefined && (namespace === 0 || own === namespace);
    };
    const pid = pids.includes(workload.rootPid) && fits(workload.rootPid) ? workload.rootPid : pids.find(fits);
    workload.rootPid = pid;
    return pid;
  }

  /** Forgets a workload; tasks that still run in it are judged no more. */
  remove(workload: Workload): void {
    this.#byContainer.delete(workload.record.containerId);
    if (workload.expected !== undefined) this.#engine.map('picket_expected').delete(pathKey(workload.expected));
    this.#drop(workload);
    const cgroups = this.#engine.map('picket_cgroups');
    for (const [key, value] of cgroups.entries())
      if (new DataView(value.buffer, value.byteOffset).getBigUint64(0, true) === workload.id) cgroups.delete(key);
    this.#engine.unguard(workload.record.cgroup);
  }

  #drop(workload: Workload): void {
    this.#byId.delete(workload.id);
    this.#removed.set(workload.id, { workload, until: performance.now() + keepRemovedMs });
    this.#empty(workload.slot);
  }

  /** Whether the workload's cgroup is still to be made; one that was made is not expected any more. */
  #isExpected(workload: Workload): boolean {
    const { expected, record } = workload;
    if (expected === undefined) return false;
    const map = this.#engine.map('picket_expected');
    if (cgroupExists(record.cgroup)) map.delete(pathKey(expected));
    else if (map.lookup(pathKey(expected)) !== undefined) return true;
    workload.expected = undefined;
    return false;
  }

  #empty(slot: number): void {
    this.#engine.workloads.store(slot, fields.id.offset, 0n);
    this.#engine.workloads.store(slot, fields.set.offset, 0n);
    this.#free.push(slot);
  }

  /** The time since boot, in nanoseconds: what an earlier agent gave is not given again, whatever is known of it. */
  #newId(): bigint {
    const now = process.hrtime.bigint();
    this.#lastId = now > this.#lastId ? now : this.#lastId + 1n;
    return this.#lastId;
  }

  /** The workload that the kernel side has for a cgroup. */
  #ofCgroup(id: bigint | undefined): bigint | undefined {
    const value = id === undefined ? undefined : this.#engine.map('picket_cgroups').lookup(cgroupKey(id));
    return value && new DataView(value.buffer, value.byteOffset).getBigUint64(0, true);
  }

  /** Whether the workload's cgroup is the one that was registered, not another of the same name. */
  #isSame({ id, record }: Workload): boolean {
    const own = cgroupId(record.cgroup);
    if (own === undefined) return false;
    const found = this.#ofCgroup(own);
    return found === undefined || found === id; // undefined: the agent was ended before it connected the cgroup
  }

  /** A workload of an earlier agent; the kernel side knows whether its first program has run. */
  #known(slot: number, id: bigint, record: WorkloadRecord): Workload {
    const { workloads } = this.#engine;
    const [low, namespace] = [
      workloads.load(slot, fields.flags.offset),
      Number(workloads.load(slot, fields.flags.offset) >> 32n),
    ];
    const hostMounts = (Number(low & 0xffff_ffffn) & abi.workloadFlags.WORKLOAD_HOST_MOUNTS) !== 0;
    const hasStarted = (Number(low & 0xffff_ffffn) & abi.workloadFlags.WORKLOAD_STARTED) !== 0;
    const generation = Number(workloads.load(slot, fields.set.offset) >> 32n);
    const workload: Workload = { id, slot, record, rootPid: undefined, hostMounts, users: [], generation };
    if (hasStarted && !hostMounts)
      workload.rootPid = this.pids(workload).find((pid) => mountNamespace(pid) === namespace);
    if (workload.rootPid !== undefined) workload.users = readUserMap(workload.rootPid);
    return workload;
  }

  /** Workloads whose cgroup was expected and has been made. To be called now and then. */
  appeared(): Workload[] {
    return this.all.filter(
      (workload) =>
        workload.expected !== undefined && cgroupExists(workload.record.cgroup) && !this.#isExpected(workload),
    );
  }

  /** Workloads whose cgroup is gone. To be called now and then. */
  ended(): Workload[] {
    for (const [id, { until }] of this.#removed) if (until < performance.now()) this.#removed.delete(id);
    return this.all.filter((workload) => !cgroupExists(workload.record.cgroup) && !this.#isExpected(workload));
  }
}

/** Number of a process's mount namespace; undefined: it ended. */
export function mountNamespace(pid: number): number | undefined {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/mnt`))?.[1]);
  } catch {
    return undefined;
  }
}
