import type { Logger } from 'pino';
import { monotonicFactory } from 'ulid';
import { processSpanId, traceHour, traceId } from '../../otel/ids.ts';
import { processSpan } from '../../otel/mapping/mapping.ts';
import type { Span } from '../../otel/otlp/span.ts';
import * as abi from '../abi.gen.ts';
import type { Emission } from '../export/exporter.ts';
import type { Engine } from '../kernel/engine.ts';
import type { RingMemory } from '../kernel/ring.ts';
import type { ReadEntry } from '../policy/links.ts';
import type { RuleInfo } from '../policy/ruleset.ts';
import type { Workload } from '../workload/registry.ts';
import { commandLine, rootOf, type Sensor, toAlert } from './alert.ts';
import { type Process, type ProcessTable, startGranuleNs } from './processes.ts';
import { decode, type EventRecord, RecordError } from './record.ts';
import { joinPath, resolveLate } from './syscall.ts';

/** What the pipeline asks of the rest of the agent. */
export interface PipelineContext {
  sensor: Sensor;
  kernelRelease: string;
  processes: ProcessTable;
  workload(id: bigint): Workload | undefined;
  rulesOf(set: number, generation: number): readonly RuleInfo[] | undefined;
  /** The rule of a workload's syscall rules for a path that the kernel could not tell; undefined: none matches. */
  judgeSyscall(workload: Workload, syscall: number, path: string): number;
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
  /** Records that could not be read, or named a rule or workload that is not known any more. */
  broken: number;
  unnamed: number;
}

const maxPerTurn = 4096;
const recentPaths = 1024;
const maxAncestors = 64;

/**
 * From ring records to alerts. Both rings are emptied in turns; before an alert of the second ring is made, everything
 * that the first one told about processes up to then has been read.
 */
export class Pipeline {
  readonly stats: PipelineStats = { records: 0, alerts: 0, broken: 0, unnamed: 0 };
  readonly #engine: Engine;
  readonly #context: PipelineContext;
  readonly #nextId = monotonicFactory();
  readonly #paths = new Map<bigint, string>();
  readonly #sentSpans = new Set<string>();
  #seq = 0;

  constructor(engine: Engine, context: PipelineContext) {
    this.#engine = engine;
    this.#context = context;
  }

  /** Reads what is in the rings; returns how many records that were. */
  drain(): number {
    const audits: EventRecord[] = [];
    const read = this.#engine.auditRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) audits.push(event);
    }, maxPerTurn);
    const first = this.#engine.denyRing.drain((memory, offset, length) => {
      const event = this.#decode(memory, offset, length);
      if (event !== undefined) this.#take(event);
    });
    for (const event of audits) this.#take(event);
    this.stats.records += read + first;
    return read + first;
  }

  /** The collector may have forgotten the spans of processes: they are sent again with their next alert. */
  forgetSpans(): void {
    this.#sentSpans.clear();
  }

  #decode(memory: RingMemory, offset: number, length: number): EventRecord | undefined {
    try {
      return decode(memory, offset, length);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.stats.broken++;
      this.#context.log.error({ err: error }, 'a ring record cannot be read');
      return undefined;
    }
  }

  #take(event: EventRecord): void {
    const { processes } = this.#context;
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
    }
  }

  #alert(event: EventRecord): void {
    const workload = this.#context.workload(event.workload);
    const rules = this.#context.rulesOf(event.set, event.generation);
    if (workload === undefined || rules === undefined) {
      this.stats.unnamed++;
      this.#context.log.error(
        { workload: String(event.workload), generation: event.generation },
        'a verdict cannot be named: its workload or rule set is gone',
      );
      return;
    }
    const path = this.#objectPath(event, workload);
    let { outcome } = event;
    if (event.flags & abi.eventFlags.EVENT_PATH_LATE) {
      // The kernel could not compare the path: the rules that name one go first, here.
      const byPath = this.#context.judgeSyscall(workload, event.syscall, path);
      if (byPath !== abi.outcome.OUTCOME_NONE) outcome = byPath;
      else if (outcome === abi.outcome.OUTCOME_NONE) return;
    }
    const ruleNumber = outcome & abi.outcome.OUTCOME_RULE;
    const rule = ruleNumber === abi.outcome.OUTCOME_POSTURE ? undefined : rules[ruleNumber];
    const process = this.#context.processes.find(event.pid, event.startNs);
    const timeNs = this.#context.sensor.boot.unixNs + event.timeNs;
    const alert = toAlert(
      {
        event,
        workload: workload.record,
        rule,
        path: path.toWellFormed(),
        process,
        parentExecutable: this.#context.processes.find(event.ppid, event.parentStartNs)?.executable,
        sessionExecutable: this.#context.processes.find(event.rootPid, event.rootStartNs)?.executable,
        timeNs,
        id: this.#nextId(Number(timeNs / 1_000_000n)),
        seq: ++this.#seq,
      },
      this.#context.sensor,
    );
    this.stats.alerts++;
    this.#context.emit({
      alert,
      context: {
        observedNs: BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
        ...(workload.record.podUid !== undefined && { podUid: workload.record.podUid }),
        kernelRelease: this.#context.kernelRelease,
        bootId: this.#context.sensor.boot.id,
        errno: -event.result,
        processSpanId: processSpanId(this.#context.sensor.boot.id, event.pid, event.startNs),
      },
      processSpans: this.#spans(event, workload, process, Number(timeNs / 1_000_000_000n)),
    });
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

  /** Spans of the acting process and its ancestors up to the root of the tree, each once per trace. */
  #spans(event: EventRecord, workload: Workload, acting: Process | undefined, seconds: number): Span[] {
    const { sensor, processes } = this.#context;
    const trace = traceId(sensor.clusterUid, workload.record.containerId, rootOf(event, sensor), seconds);
    const spans: Span[] = [];
    for (let process = acting; process !== undefined; ) {
      const spanId = processSpanId(sensor.boot.id, process.pid, process.startNs);
      const key = `${trace} ${spanId}`;
      if (this.#sentSpans.has(key)) break; // and so were those above it
      this.#sentSpans.add(key);
      const parent = this.#parentInTree(process, event);
      spans.push(
        processSpan({
          pid: process.pid,
          vpid: process.vpid,
          startNs: process.startNs,
          startUnixNs: sensor.boot.unixNs + process.startNs,
          executable: process.executable,
          commandLine: commandLine(process.executable, process.args).text,
          uid: process.uid,
          ...(parent !== undefined && { parentSpanId: processSpanId(sensor.boot.id, parent.pid, parent.startNs) }),
          spanId,
          traceId: trace,
          hour: traceHour(seconds),
        }),
      );
      if (parent === undefined || spans.length >= maxAncestors) break;
      process = processes.find(parent.pid, parent.startNs);
    }
    if (this.#sentSpans.size > 100_000) this.#sentSpans.clear();
    return spans;
  }

  /**
   * The parent inside the event's process tree, undefined for the root. It is the root too where somebody outside took the
   * process over when its parent ended: who is older than the root is outside.
   */
  #parentInTree({ pid, startNs, ppid, parentStartNs }: Process, { rootPid, rootStartNs }: EventRecord) {
    const root = { pid: rootPid, startNs: rootStartNs };
    if (pid === rootPid && isSameStart(startNs, rootStartNs)) return undefined;
    if (parentStartNs < rootStartNs || (ppid === rootPid && isSameStart(parentStartNs, rootStartNs))) return root;
    return { pid: ppid, startNs: this.#context.processes.find(ppid, parentStartNs)?.startNs ?? parentStartNs };
  }

  #remember(hash: bigint, path: string): void {
    this.#paths.delete(hash);
    this.#paths.set(hash, path);
    if (this.#paths.size > recentPaths)
      for (const oldest of this.#paths.keys()) {
        this.#paths.delete(oldest);
        break;
      }
  }
}

/** Start times of one process: one of them may be from /proc, which rounds. */
function isSameStart(a: bigint, b: bigint): boolean {
  return a / startGranuleNs === b / startGranuleNs;
}
