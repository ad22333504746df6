import { processSpanId, traceHour, traceId } from '../../otel/ids.ts';
import { processSpan } from '../../otel/mapping/mapping.ts';
import type { Span } from '../../otel/otlp/span.ts';
import { commandLine, rootOf, type Sensor } from './alert.ts';
import { type Process, type ProcessTable, startGranuleNs } from './processes.ts';
import type { EventRecord } from './record.ts';

/** What the alerts of one process tree in one workload and hour share. */
export interface Trace {
  id: string;
  rootSpanId: string;
  /** The trace of the same tree in the hour before, when it alerted there too. */
  previousId?: string;
}

const maxAncestors = 64;
const maxRemembered = 100_000;

/**
 * Alerts as process trees (alerts.md 6.5): which trace an event belongs to, and which spans of processes its collector has
 * not been told yet.
 */
export class Traces {
  readonly #sensor: Sensor;
  readonly #processes: ProcessTable;
  readonly #sent = new Set<string>();
  /** By container and root: the last hour in which it alerted. */
  readonly #hours = new Map<string, { hour: number; previousId: string | undefined }>();

  constructor(sensor: Sensor, processes: ProcessTable) {
    this.#sensor = sensor;
    this.#processes = processes;
  }

  /** The trace of an event that happened at `seconds` (Unix time). */
  of(event: EventRecord, containerId: string, seconds: number): Trace {
    const { boot, clusterUid } = this.#sensor;
    const root = rootOf(event, this.#sensor);
    const previousId = this.#previous(`${containerId} ${root}`, traceHour(seconds), () =>
      traceId(clusterUid, containerId, root, seconds - 3600),
    );
    return {
      id: traceId(clusterUid, containerId, root, seconds),
      rootSpanId: processSpanId(boot.id, event.rootPid, event.rootStartNs),
      ...(previousId !== undefined && { previousId }),
    };
  }

  /** Spans of the acting process and its ancestors up to the root of the tree, each once per trace. */
  spans(event: EventRecord, acting: Process | undefined, trace: Trace, seconds: number): Span[] {
    const { boot } = this.#sensor;
    const spans: Span[] = [];
    for (let process = acting; process !== undefined; ) {
      const spanId = processSpanId(boot.id, process.pid, process.startNs);
      const key = `${trace.id} ${spanId}`;
      if (this.#sent.has(key)) break; // and so were those above it
      this.#sent.add(key);
      const parent = this.#parentInTree(process, event);
      spans.push(
        processSpan({
          pid: process.pid,
          vpid: process.vpid,
          startNs: process.startNs,
          startUnixNs: boot.unixNs + process.startNs,
          executable: process.executable,
          commandLine: commandLine(process.executable, process.args).text,
          uid: process.uid,
          ...(parent !== undefined && { parentSpanId: processSpanId(boot.id, parent.pid, parent.startNs) }),
          spanId,
          traceId: trace.id,
          hour: traceHour(seconds),
        }),
      );
      if (parent === undefined || spans.length >= maxAncestors) break;
      process = this.#processes.find(parent.pid, parent.startNs);
    }
    if (this.#sent.size > maxRemembered) this.#sent.clear();
    return spans;
  }

  /** The collector may have forgotten the spans of processes: they are sent again with their next alert. */
  forget(): void {
    this.#sent.clear();
  }

  #previous(tree: string, hour: number, idBefore: () => string): string | undefined {
    const known = this.#hours.get(tree);
    if (known !== undefined && known.hour >= hour) return known.hour === hour ? known.previousId : undefined;
    const previousId = known?.hour === hour - 1 ? idBefore() : undefined;
    this.#hours.delete(tree);
    this.#hours.set(tree, { hour, previousId });
    if (this.#hours.size > maxRemembered) this.#hours.delete(this.#hours.keys().next().value ?? '');
    return previousId;
  }

  /**
   * The parent inside the event's process tree, undefined for the root. It is the root too where somebody outside took the
   * process over when its parent ended: who is older than the root is outside.
   */
  #parentInTree({ pid, startNs, ppid, parentStartNs }: Process, { rootPid, rootStartNs }: EventRecord) {
    const root = { pid: rootPid, startNs: rootStartNs };
    if (pid === rootPid && isSameStart(startNs, rootStartNs)) return undefined;
    if (parentStartNs < rootStartNs || (ppid === rootPid && isSameStart(parentStartNs, rootStartNs))) return root;
    return { pid: ppid, startNs: this.#processes.find(ppid, parentStartNs)?.startNs ?? parentStartNs };
  }
}

/** Start times of one process: one of them may be from /proc, which rounds. */
function isSameStart(a: bigint, b: bigint): boolean {
  return a / startGranuleNs === b / startGranuleNs;
}
