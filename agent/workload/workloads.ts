import type { Logger } from 'pino';
import { AgentError } from '../error.ts';
import { readStart } from '../event/proc.ts';
import type { ProcessTable } from '../event/processes.ts';
import { type Diagnostic, formatDiagnostic } from '../policy/diagnostic.ts';
import type { Enforcement } from '../policy/enforcement.ts';
import type { SavedWorkload } from '../state/saved.ts';
import type { StateKeeper } from '../state/state.ts';
import type { Workload, WorkloadRegistry } from './registry.ts';
import type { ChangeResult, WorkloadChange } from './source.ts';
import { readUserMap } from './users.ts';
import type { WorkloadRecord } from './workload.ts';

/** What sources tell, carried out: a workload is prepared, put under its rules and then connected with its tasks. */
export class Workloads {
  readonly #registry: WorkloadRegistry;
  readonly #enforcement: Enforcement;
  readonly #processes: ProcessTable;
  readonly #state: StateKeeper;
  readonly #log: Logger;

  constructor(
    registry: WorkloadRegistry,
    enforcement: Enforcement,
    processes: ProcessTable,
    state: StateKeeper,
    log: Logger,
  ) {
    this.#state = state;
    this.#registry = registry;
    this.#enforcement = enforcement;
    this.#processes = processes;
    this.#log = log;
  }

  /**
   * Goes on with the workloads that an earlier agent registered: those that are in the kernel stay under their rules, which
   * `restore` brings up to date; those that are not (another version of the maps, or no pins) are registered anew.
   */
  adopt(saved: readonly SavedWorkload[], restore: () => void): void {
    const { ended, homeless } = this.#registry.adopt(saved);
    this.#enforcement.uncover(ended);
    restore();
    for (const record of homeless) {
      try {
        this.#put(record);
      } catch (err) {
        this.#log.error({ err, container: record.containerId }, 'a workload of before could not be registered again');
      }
    }
    this.#registry.connectAll();
    this.#registry.carry(saved);
    for (const workload of this.#registry.all) this.#adopt(workload);
  }

  /** Takes one change over; its rules are in force when this returns. @throws AgentError `workload`, KernelError */
  take(change: WorkloadChange): ChangeResult {
    return change.kind === 'removed' ? this.#remove(change.containerId) : this.#put(change.record);
  }

  /** The first program of a workload that was empty when it was registered: now its links can be resolved. */
  started(workload: Workload, pid: number): void {
    // It is still known when it has ended, for what it did before; its place may be another one's by now.
    if (this.#registry.findContainer(workload.record.containerId) !== workload) return;
    try {
      this.#registry.guard(workload);
      if (workload.rootPid !== undefined || workload.hostMounts) return;
      workload.rootPid = pid;
      workload.users = readUserMap(pid);
      for (const diagnostic of this.#enforcement.cover(workload))
        if (diagnostic.level === 'error') this.#log.error({ code: diagnostic.code }, formatDiagnostic(diagnostic));
    } catch (err) {
      this.#log.error(
        { err, container: workload.record.containerId },
        'a workload has started, and the links in its rules could not be resolved or its sockets not be reached; its rules hold as they were',
      );
    }
  }

  /** Forgets workloads whose cgroup is gone. */
  removeEnded(): void {
    const appeared = this.#registry.appeared();
    for (const workload of appeared) this.#registry.guard(workload);
    if (appeared.length > 0)
      this.#state.write((writer) => {
        for (const workload of appeared) writer.putWorkload(this.#registry.toSaved(workload));
      }, 'boot');
    const ended = this.#registry.ended();
    for (const { record } of ended) this.#log.info({ container: record.containerId }, 'workload ended');
    this.#enforcement.uncover(ended);
  }

  #put(record: WorkloadRecord): ChangeResult {
    const before = this.#registry.findContainer(record.containerId)?.record;
    const workload = this.#registry.prepare(record);
    let diagnostics: Diagnostic[];
    try {
      diagnostics = this.#enforcement.cover(workload);
      // Before it is connected: a workload that is in the kernel is known to the next agent.
      this.#state.write((writer) => writer.putWorkload(this.#registry.toSaved(workload)), 'boot');
      this.#registry.connect(workload);
    } catch (error) {
      if (before === undefined) this.#enforcement.uncover([workload]);
      else workload.record = before;
      throw error;
    }
    this.#adopt(workload);
    const { containerId: container, pod } = record;
    this.#log.info({ container, pod, generation: workload.generation }, 'workload registered');
    return { id: String(workload.id), generation: workload.generation, diagnostics };
  }

  #remove(containerId: string): ChangeResult {
    const workload = this.#registry.findContainer(containerId);
    if (workload === undefined) throw new AgentError('workload', `no workload with the container id ${containerId}`);
    this.#enforcement.uncover([workload]);
    return { id: String(workload.id), generation: 0, diagnostics: [] };
  }

  /** Processes that were in a workload before it was registered: no event tells about them, and they may end soon. */
  #adopt(workload: Workload): void {
    for (const pid of this.#registry.pids(workload)) {
      const startNs = readStart(pid);
      if (startNs !== undefined) this.#processes.find(pid, startNs);
    }
  }
}
