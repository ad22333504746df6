import type { VerdictAlert } from '../../otel/alert.ts';
import { type AlertContext, toRecord, toResource, toScope, toSpan } from '../../otel/mapping/mapping.ts';
import type { LogRecord } from '../../otel/otlp/log.ts';
import { encodeLogs } from '../../otel/otlp/logs.ts';
import type { Resource, Scope } from '../../otel/otlp/resource.ts';
import type { Span } from '../../otel/otlp/span.ts';
import { encodeTraces } from '../../otel/otlp/traces.ts';
import type { Spool } from '../../otel/spool/spool.ts';

/** An alert on its way out, with the spans of the processes behind it. */
export interface Emission {
  alert: VerdictAlert;
  context: AlertContext;
  processSpans: readonly Span[];
}

interface Group {
  resource: Resource;
  scope: Scope;
  records: LogRecord[];
  spans: Span[];
}

const flushAfterMs = 20;
const flushAtRecords = 512;

/**
 * Collects alerts for a moment and appends them to the spool as one pair of OTLP requests, grouped by workload; order
 * within a workload is kept. `appended` is called when they are on the disk.
 */
export class Exporter {
  readonly #spool: Spool;
  readonly #appended: () => void;
  readonly #failed: (alerts: number, error: unknown) => void;
  #waiting: Emission[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(spool: Spool, appended: () => void, failed: (alerts: number, error: unknown) => void) {
    this.#spool = spool;
    this.#appended = appended;
    this.#failed = failed;
  }

  add(emission: Emission): void {
    this.#waiting.push(emission);
    if (this.#waiting.length >= flushAtRecords) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), flushAfterMs);
  }

  /** Resolves when everything added so far is on the disk, or was reported as failed. */
  flush(): Promise<void> {
    this.#write();
    return this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const emissions = this.#waiting;
    if (emissions.length === 0) return;
    this.#waiting = [];
    const groups = groupByWorkload(emissions);
    const logs = encodeLogs(groups.map(({ resource, scope, records }) => ({ resource, scope, records })));
    const traces = encodeTraces(groups.map(({ resource, scope, spans }) => ({ resource, scope, spans })));
    const cls = emissions.some(({ alert }) => alert.Action === 'Block') ? 'block' : 'audit';
    const appending = this.#spool.append({ logs, traces, records: emissions.length }, cls).then(
      () => this.#appended(),
      (error: unknown) => this.#failed(emissions.length, error),
    );
    this.#writing = Promise.all([this.#writing, appending]).then(() => undefined);
  }
}

function groupByWorkload(emissions: readonly Emission[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { alert, context, processSpans } of emissions) {
    const key = `${alert.ContainerID ?? ''} ${alert.Enforcer}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { resource: toResource(alert, context), scope: toScope(alert, context), records: [], spans: [] };
      groups.set(key, group);
    }
    group.records.push(toRecord(alert, context));
    group.spans.push(...processSpans, toSpan(alert, context));
  }
  return [...groups.values()];
}
