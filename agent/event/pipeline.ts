import type { Logger } from 'pino';
import type { Alert } from '../../otel/alert.ts';
import { processSpanId } from '../../otel/ids.ts';
import * as abi from '../abi.gen.ts';
import type { Emission } from '../export/exporter.ts';
import type { Engine, RingPositions } from '../kernel/engine.ts';
import type { RingMemory } from '../kernel/ring.ts';
import type { ReadEntry } from '../policy/links.ts';
import { judgeSyscall } from '../policy/lookup.ts';
import type { RuleInfo, RuleNames } from '../policy/ruleset.ts';
import type { Workload } from '../workload/registry.ts';
import { uidInside } from '../workload/users.ts';
import { type Sensor, toAlert, toUnresolved, type Verdict } from './alert.ts';
import { AlertIds } from './alert-id.ts';
import type { ProcessTable } from './processes.ts';
import { decode, type EventRecord } from './record.ts';
import { joinPath, resolveLate } from './syscall.ts';
import { Traces } from './trace.ts';
import { UserNames } from './users.ts';

/** What the pipeline asks of the rest of the agent. */
export interface PipelineContext {
  sensor: Sensor;
  kernelRelease: string;
  processes: ProcessTable;
  workload(id: bigint): Workload | undefined;
  /** The rule set that gave a verdict. */
  ruleSet(set: number, generation: number): RuleNames | undefined;
  /** Runs `use` with a reader of the workload's root. */
  withRoot<T>(workload: Workload, use: (read: ReadEntry) => T): T;
  /** A program of the workload has started. */
  started(workload: Workload, pid: number): void;
  emit(emission: Emission): void;
  log: Logger;
}

export interface PipelineStats {
  /** Records read from the rings. */
  records: number;
  /** Alerts numbered and handed on. */
  alerts: number;
  /** Records that could not be read, or that no alert could be made of. */
  broken: number;
  /** Verdicts whose workload, rule set or rule is not known any more. */
  unnamed: number;
}

const maxPerTurn = 4096;
const recentPaths = 1024;

/**
 * From ring records to alerts. Both rings are emptied in turns; before an alert of the second ring is made, everything
 * that the first one told about processes up to then has been read.
 */
export class Pipeline {
  readonly stats: PipelineStats = { records: 0, alerts: 0, broken: 0, unnamed: 0 };
  readonly #engine: Pick<Engine, 'id' | 'denyRing' | 'auditRing'>;
  readonly #context: PipelineContext;
  readonly #traces: Traces;
  readonly #users = new UserNames();
  readonly #ids: AlertIds;
  /** Of the event at hand. */
  #ring: 'deny' | 'audit' = 'deny';
  readonly #paths = new Map<bigint, string>();
  #seq = 0;

  constructor(engine: Pick<Engine, 'id' | 'denyRing' | 'auditRing'>, context: PipelineContext) {
    this.#engine = engine;
    this.#context = context;
    this.#ids = new AlertIds(engine.id);
    this.#traces = new Traces(context.sensor, context.processes);
  }

  /** Reads what is in the rings; returns how many records that were. */
  drain(): number {
    const audits: EventRecord[] = [];
    const read = this.#engine.auditRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) audits.push(event);
    }, maxPerTurn);
    this.#ring = 'deny';
    const first = this.#engine.denyRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) this.#take(event);
    });
    this.#ring = 'audit';
    for (const event of audits) this.#take(event);
    this.stats.records += read + first;
    return read + first;
  }

  /** How far the kernel side has written. */
  mark(): RingPositions {
    return { deny: this.#engine.denyRing.producedPosition, audit: this.#engine.auditRing.producedPosition };
  }

  /** Whether everything before `mark` has been read. */
  isPast({ deny, audit }: RingPositions): boolean {
    return this.#engine.denyRing.consumedPosition >= deny && this.#engine.auditRing.consumedPosition >= audit;
  }

  /** The collector may have forgotten the spans of processes: they are sent again with their next alert. */
  forgetSpans(): void {
    this.#traces.forget();
  }

  #decode(memory: RingMemory, offset: number, length: number): EventRecord | undefined {
    try {
      return decode(memory, offset, length);
    } catch (err) {
      this.stats.broken++;
      if (isWorthALine(this.stats.broken))
        this.#context.log.error({ err, broken: this.stats.broken }, 'a ring record cannot be read');
      return undefined;
    }
  }

  /** One event that cannot be dealt with must not cost the others that were read with it. */
  #take(event: EventRecord): void {
    try {
      this.#dispatch(event);
    } catch (err) {
      this.stats.broken++;
      if (isWorthALine(this.stats.broken))
        this.#context.log.error({ err, broken: this.stats.broken }, 'no alert could be made of a verdict');
    }
  }

  #dispatch(event: EventRecord): void {
    const { processes } = this.#context;
    event.uid = uidInside(this.#context.workload(event.workload)?.users ?? [], event.uid);
    switch (event.kind) {
      case abi.eventKind.EVENT_FORK:
        processes.forked(event);
        break;
      case abi.eventKind.EVENT_EXEC: {
        processes.executed(event, (event.flags & abi.eventFlags.EVENT_ARGS_TRUNCATED) !== 0);
        const workload = this.#context.workload(event.workload);
        if (workload !== undefined) this.#context.started(workload, event.pid);
        break;
      }
      case abi.eventKind.EVENT_EXIT:
        processes.exited(event);
        break;
      case abi.eventKind.EVENT_PATH:
        this.#remember(event.pathHash, event.path);
        break;
      case abi.eventKind.EVENT_ALERT:
        this.#alert(event);
        break;
      case abi.eventKind.EVENT_UNRESOLVED:
        this.#unresolved(event);
        break;
    }
  }

  #alert(event: EventRecord): void {
    const workload = this.#context.workload(event.workload);
    const ruleSet = this.#context.ruleSet(event.set, event.generation);
    const path = workload && this.#objectPath(event, workload);
    const program = this.#context.processes.find(event.pid, event.startNs)?.executable ?? '';
    const outcome = ruleSet && path !== undefined ? outcomeOf(event, ruleSet, path, program) : event.outcome;
    const number = outcome & abi.outcome.OUTCOME_RULE;
    const rule = ruleSet?.rules[number];
    if (outcome === abi.outcome.OUTCOME_NONE && ruleSet) return; // no rule after all
    if (workload === undefined || path === undefined || (rule === undefined && number !== abi.outcome.OUTCOME_POSTURE))
      this.#unnamed(event);
    else this.#emit(toAlert, event, workload, rule, path.toWellFormed());
  }

  #unresolved(event: EventRecord): void {
    const workload = this.#context.workload(event.workload);
    if (workload === undefined) this.#unnamed(event);
    else this.#emit(toUnresolved, event, workload, undefined, event.path.toWellFormed());
  }

  #emit(
    make: (verdict: Verdict, sensor: Sensor) => Alert,
    event: EventRecord,
    workload: Workload,
    rule: RuleInfo | undefined,
    path: string,
  ): void {
    const { sensor, processes, kernelRelease } = this.#context;
    const process = processes.find(event.pid, event.startNs);
    const timeNs = sensor.boot.unixNs + event.timeNs;
    const seconds = Number(timeNs / 1_000_000_000n);
    const trace = this.#traces.of(event, workload.record.containerId, seconds);
    const alert = make(
      {
        ...{ event, workload: workload.record, rule, path, process, timeNs },
        parentExecutable: processes.find(event.ppid, event.parentStartNs)?.executable,
        sessionExecutable: processes.find(event.rootPid, event.rootStartNs)?.executable,
        userName: workload.record.host && this.#users.find(event.uid),
        id: this.#ids.of(Number(timeNs / 1_000_000n), this.#ring, event.seq),
        seq: this.#seq + 1,
        traceId: trace.id,
      },
      sensor,
    );
    this.#seq++;
    this.stats.alerts++;
    this.#context.emit({
      alert,
      context: {
        observedNs: BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
        ...(workload.record.podUid !== undefined && { podUid: workload.record.podUid }),
        kernelRelease,
        bootId: sensor.boot.id,
        errno: Math.abs(event.result),
        processSpanId: processSpanId(sensor.boot.id, event.pid, event.startNs),
        rootSpanId: trace.rootSpanId,
        ...(trace.previousId !== undefined && { previousTraceId: trace.previousId }),
      },
      processSpans: this.#traces.spans(event, process, trace, seconds),
    });
  }

  #unnamed({ workload, set, generation, outcome }: EventRecord): void {
    this.stats.unnamed++;
    if (isWorthALine(this.stats.unnamed))
      this.#context.log.error(
        { workload: String(workload), set, generation, outcome, unnamed: this.stats.unnamed },
        'a verdict cannot be named: its workload or rule set is gone',
      );
  }

  #objectPath(event: EventRecord, workload: Workload): string {
    if (event.flags & abi.eventFlags.EVENT_PATH_LATE) {
      const base = event.base || '/';
      if (event.flags & abi.eventFlags.EVENT_PATH_UNRESOLVED) return joinPath(base, event.path);
      return this.#context.withRoot(workload, (read) => resolveLate(base, event.path, read));
    }
    if (event.path !== '') return event.path;
    return this.#paths.get(event.pathHash) ?? '';
  }

  #remember(hash: bigint, path: string): void {
    this.#paths.delete(hash);
    this.#paths.set(hash, path);
    if (this.#paths.size > recentPaths) this.#paths.delete(this.#paths.keys().next().value ?? 0n);
  }
}

/** The kernel could not compare a late path: it is judged here, with the rules that name none. None: no alert after all. */
function outcomeOf({ flags, syscall, outcome }: EventRecord, names: RuleNames, path: string, program: string): number {
  if (!(flags & abi.eventFlags.EVENT_PATH_LATE)) return outcome;
  const found = judgeSyscall(names, syscall, path, program);
  return found === abi.outcome.OUTCOME_NONE ? outcome : found;
}

/** The first of a kind, the second, the fourth, …: a flood of them must not become a flood of log lines. */
function isWorthALine(count: number): boolean {
  return (count & (count - 1)) === 0;
}
