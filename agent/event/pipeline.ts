import type { Logger } from 'pino';
import type { Alert } from '../../otel/alert.ts';
import { processSpanId } from '../../otel/ids.ts';
import * as abi from '../abi.gen.ts';
import type { Emission } from '../export/exporter.ts';
import type { Engine, RingPositions } from '../kernel/engine.ts';
import type { RingMemory } from '../kernel/ring.ts';
import type { Decision } from '../policy/explain/explain.ts';
import type { ReadEntry } from '../policy/links.ts';
import { judgeSyscall } from '../policy/lookup.ts';
import type { RuleInfo, RuleNames } from '../policy/ruleset.ts';
import type { Workload } from '../workload/registry.ts';
import { uidInside } from '../workload/users.ts';
import { type Sensor, toAlert, toNotCovered, toUnresolved, type Verdict } from './alert.ts';
import { AlertIds } from './alert-id.ts';
import { type Actor, type ChangedName, judgeChange } from './change.ts';
import type { Process, ProcessTable } from './processes.ts';
import { decode, type EventRecord } from './record.ts';
import { latePaths } from './syscall.ts';
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
  /** What the rules in force say of a name that was changed. */
  judge(workload: Workload, name: ChangedName, by: Actor): Decision;
  /** Ends a process; false: it has ended by itself. */
  kill(pid: number, startNs: bigint): boolean;
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

const maxPerTurn = 512;
const recentPaths = 1024;
const eacces = 13;

/**
 * From ring records to alerts. Both rings are emptied in turns of bounded size; before an alert of the second ring is made,
 * everything that the first one told about processes up to then has been read.
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

  /**
   * Reads what is in the rings, about `maxPerTurn` records of each at most: an alert takes ten times as much memory as its record, so
   * that a full ring must not become alerts all at once. Returns how many records that were.
   */
  drain(): number {
    const before = this.#drainDenials(maxPerTurn);
    if (before === maxPerTurn) return before;
    const audits: EventRecord[] = [];
    const read = this.#engine.auditRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) audits.push(event);
    }, maxPerTurn);
    // Few: what was written since the turn began.
    const since = this.#drainDenials();
    this.#ring = 'audit';
    for (const event of audits) this.#take(event);
    this.stats.records += read;
    return before + read + since;
  }

  #drainDenials(max?: number): number {
    this.#ring = 'deny';
    const read = this.#engine.denyRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) this.#take(event);
    }, max);
    this.stats.records += read;
    return read;
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
      case abi.eventKind.EVENT_CHANGE:
        this.#change(event);
        break;
      case abi.eventKind.EVENT_UNRESOLVED:
        this.#tell(toUnresolved, event);
        break;
      case abi.eventKind.EVENT_NOT_COVERED:
        this.#tell(toNotCovered, event);
        break;
    }
  }

  #alert(event: EventRecord): void {
    const workload = this.#context.workload(event.workload);
    const ruleSet = this.#context.ruleSet(event.set, event.generation);
    const { outcome, path } = this.#judged(event, workload, ruleSet);
    const number = outcome & abi.outcome.OUTCOME_RULE;
    const rule = ruleSet?.rules[number];
    if (outcome === abi.outcome.OUTCOME_NONE && ruleSet) return; // no rule after all
    if (workload === undefined || path === undefined || (rule === undefined && number !== abi.outcome.OUTCOME_POSTURE))
      this.#unnamed(event);
    else this.#emit(toAlert, event, workload, rule, path.toWellFormed());
  }

  /** A change of names, which the kernel could not judge: whoever made it is ended where a rule forbids it. */
  #change(event: EventRecord): void {
    const { ruleSet, workload: find, withRoot, judge, kill } = this.#context;
    const workload = find(event.workload);
    const names = ruleSet(event.set, event.generation);
    if (workload === undefined || names === undefined) {
      this.#unnamed(event);
      return;
    }
    const by = {
      program: this.#processOf(event)?.executable || undefined,
      uid: event.uid,
      terminal: event.tty !== '',
    };
    const judged = judgeChange(
      event,
      names,
      (use) => withRoot(workload, use),
      (name) => judge(workload, name, by),
    );
    if (judged === undefined) return;
    if (judged.refused && kill(event.pid, event.startNs)) {
      judged.flags |= abi.eventFlags.EVENT_KILLED;
      judged.result = -eacces;
    }
    const { path, outcome, flags, result } = judged;
    const rule = names.rules[outcome & abi.outcome.OUTCOME_RULE];
    this.#emit(toAlert, { ...event, args: [], outcome, flags, result }, workload, rule, path.toWellFormed());
  }

  /** A system event: no rule is behind it. */
  #tell(make: typeof toUnresolved, event: EventRecord): void {
    const workload = this.#context.workload(event.workload);
    if (workload === undefined) this.#unnamed(event);
    else this.#emit(make, event, workload, undefined, event.path.toWellFormed());
  }

  #emit(
    make: (verdict: Verdict, sensor: Sensor) => Alert,
    event: EventRecord,
    workload: Workload,
    rule: RuleInfo | undefined,
    path: string,
  ): void {
    const { sensor, processes, kernelRelease } = this.#context;
    const process = this.#processOf(event);
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

  /**
   * The rule that counts and the path of the object; undefined: it cannot be told any more. The kernel could not compare a late
   * path: it is judged here, with the rules that name none.
   */
  #judged(
    event: EventRecord,
    workload: Workload | undefined,
    names: RuleNames | undefined,
  ): { outcome: number; path: string | undefined } {
    const { flags, outcome, syscall } = event;
    if (workload === undefined) return { outcome, path: undefined };
    if (!(flags & abi.eventFlags.EVENT_PATH_LATE))
      return { outcome, path: event.path || (this.#paths.get(event.pathHash) ?? '') };
    const paths = latePaths(event, (use) => this.#context.withRoot(workload, use));
    const program = this.#processOf(event)?.executable ?? '';
    const judged = names === undefined ? undefined : judgeSyscall(names, syscall, paths, program);
    if (judged === undefined || judged.outcome === abi.outcome.OUTCOME_NONE) return { outcome, path: paths[0] ?? '' };
    return judged;
  }

  /** The acting process as it was then: it may have executed another program since. */
  #processOf({ pid, startNs, timeNs }: EventRecord): Process | undefined {
    return this.#context.processes.find(pid, startNs, timeNs);
  }

  #remember(hash: bigint, path: string): void {
    this.#paths.delete(hash);
    this.#paths.set(hash, path);
    if (this.#paths.size > recentPaths) this.#paths.delete(this.#paths.keys().next().value ?? 0n);
  }
}

/** The first of a kind, the second, the fourth, …: a flood of them must not become a flood of log lines. */
function isWorthALine(count: number): boolean {
  return (count & (count - 1)) === 0;
}
