import { readlinkSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { AgentError } from '../error.ts';
import type { Engine } from '../kernel/engine.ts';
import { cgroupExists, readCgroupTree } from './cgroup.ts';
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
  #nextSlot = 1;
  #nextId = 1n;
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
    control.store(0, controlFields.host_slot.offset, BigInt(this.#host.slot));
    control.store(0, controlFields.host_workload.offset, this.#host.id);
    this.#engine.sweep();
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
    const { pids } = readCgroupTree(record.cgroup);
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
    const workload: Workload = { id: this.#nextId++, slot, record, ...found, generation: 0 };
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
    this.#engine.sweep();
  }

  /** Processes in the workload's cgroups. */
  pids({ record }: Workload): number[] {
    return cgroupExists(record.cgroup) ? readCgroupTree(record.cgroup).pids : [];
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
    this.#drop(workload);
    const cgroups = this.#engine.map('picket_cgroups');
    for (const [key, value] of cgroups.entries())
      if (new DataView(value.buffer, value.byteOffset).getBigUint64(0, true) === workload.id) cgroups.delete(key);
  }

  #drop(workload: Workload): void {
    this.#byId.delete(workload.id);
    this.#removed.set(workload.id, { workload, until: performance.now() + keepRemovedMs });
    this.#engine.workloads.store(workload.slot, fields.id.offset, 0n);
    this.#engine.workloads.store(workload.slot, fields.set.offset, 0n);
    this.#free.push(workload.slot);
  }

  /** Workloads whose cgroup is gone. To be called now and then. */
  ended(): Workload[] {
    for (const [id, { until }] of this.#removed) if (until < performance.now()) this.#removed.delete(id);
    return this.all.filter((workload) => !cgroupExists(workload.record.cgroup));
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
