import * as name from '../attributes.ts';
import { SPAN_KIND_INTERNAL, type Span } from '../otlp/span.ts';
import { formatTimestamp } from '../timestamp.ts';
import { AttributeList } from './attribute-list.ts';
import { MOMENT_NS } from './span.ts';

/** What is fixed about a process at its exec, and where its span belongs. */
export interface ProcessIdentity {
  pid: number;
  /** The pid inside the workload's pid namespace. */
  vpid: number;
  /** Nanoseconds since boot. */
  startNs: bigint;
  startUnixNs: bigint;
  executable: string;
  commandLine: string;
  uid: number;
  parentSpanId?: string;
  spanId: string;
  traceId: string;
  /** The clock hour of the trace, see `traceHour`. */
  hour: number;
}

const HOUR_NS = 3_600_000_000_000n;

/**
 * The span of a process, parent of its alerts' spans. Everything in it is fixed at exec, so the same process gives the
 * same bytes in every trace of the hour, and a store that drops identical duplicates shows it once. It starts with the
 * hour when the process is older; `process.creation.time` has the true start.
 */
export function processSpan(process: ProcessIdentity): Span {
  const hourNs = BigInt(process.hour) * HOUR_NS;
  const start = process.startUnixNs > hourNs ? process.startUnixNs : hourNs;
  const list = new AttributeList();
  list.int(name.PROCESS_PID, process.pid);
  list.int(name.PROCESS_VPID, process.vpid);
  list.text(name.PROCESS_EXECUTABLE_PATH, process.executable);
  list.text(name.PROCESS_COMMAND_LINE, process.commandLine);
  list.int(name.PROCESS_USER_ID, process.uid);
  list.text(name.PROCESS_CREATION_TIME, formatTimestamp(process.startUnixNs));
  return {
    traceId: process.traceId,
    spanId: process.spanId,
    traceState: '',
    parentSpanId: process.parentSpanId ?? '',
    flags: 1,
    name: process.executable.slice(process.executable.lastIndexOf('/') + 1),
    kind: SPAN_KIND_INTERNAL,
    startTimeUnixNano: start,
    endTimeUnixNano: start + MOMENT_NS,
    attributes: list.pairs,
    events: [],
    links: [],
  };
}
