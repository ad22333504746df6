import type { Alert } from '../../otel/alert.ts';
import { type AlertContext, toRecord, toResource, toScope, toSpan } from '../../otel/mapping/mapping.ts';
import type { LogRecord } from '../../otel/otlp/log.ts';
import { encodeLogs } from '../../otel/otlp/logs.ts';
import type { Resource, Scope } from '../../otel/otlp/resource.ts';
import type { Span } from '../../otel/otlp/span.ts';
import { encodeTraces } from '../../otel/otlp/traces.ts';
import type { Batch, Spool } from '../../otel/spool/spool.ts';

/** An alert on its way out, with the spans of the processes behind it. */
export interface Emission {
  alert: Alert;
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
/** What any gRPC server takes unless it is told otherwise (4 MiB), less some room. */
const maxRequestBytes = 4_000_000;

/**
 * Collects alerts for a moment and appends them to the spool as one pair of OTLP requests, grouped by workload; order
 * within a workload is kept. `appended` is called when they are on the disk. `pending` is the caller's to watch: when the
 * disk is slow, it stops adding.
 */
export class Exporter {
  readonly #spool: Pick<Spool, 'append'>;
  readonly #appended: () => void;
  readonly #failed: (alerts: number, error: unknown) => void;
  #waiting: Emission[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #onWrite: (() => void)[] = [];
  #inFlight = 0;
  #lastPosition = 0;

  constructor(spool: Pick<Spool, 'append'>, appended: () => void, failed: (alerts: number, error: unknown) => void) {
    this.#spool = spool;
    this.#appended = appended;
    this.#failed = failed;
  }

  /** Alerts that are not on the disk yet. */
  get pending(): number {
    return this.#waiting.length + this.#inFlight;
  }

  add(emission: Emission): void {
    this.#waiting.push(emission);
    if (this.#waiting.length >= flushAtRecords) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), flushAfterMs);
  }

  /** Resolves when everything added so far is on the disk, or was reported as failed; gives the last position in the spool. */
  async flush(): Promise<number> {
    this.#write();
    await this.#writing;
    return this.#lastPosition;
  }

  /** The same without haste: what waits to be written together still does. */
  async settled(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#onWrite.push(resolve));
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const emissions = this.#waiting;
    if (emissions.length === 0) return;
    this.#waiting = [];
    this.#inFlight += emissions.length;
    this.#writing = Promise.all([this.#writing, this.#append(emissions)]).then(() => undefined);
    for (const resolve of this.#onWrite.splice(0)) resolve();
  }

  /** Never rejects: what cannot be encoded or written is lost, and reported. */
  async #append(emissions: readonly Emission[]): Promise<void> {
    try {
      const cls = emissions.some(({ alert }) => alert.Action === 'Block') ? 'block' : 'audit';
      const positions = await Promise.all(encode(emissions).map((batch) => this.#spool.append(batch, cls)));
      this.#lastPosition = Math.max(this.#lastPosition, ...positions);
      this.#appended();
    } catch (error) {
      this.#failed(emissions.length, error);
    } finally {
      this.#inFlight -= emissions.length;
    }
  }
}

/** Usually one batch; several, in order, when the texts in the alerts are long. */
function encode(emissions: readonly Emission[]): Batch[] {
  const groups = groupByWorkload(emissions);
  const logs = encodeLogs(groups.map(({ resource, scope, records }) => ({ resource, scope, records })));
  const traces = encodeTraces(groups.map(({ resource, scope, spans }) => ({ resource, scope, spans })));
  const half = emissions.length >> 1;
  if (half > 0 && Math.max(logs.byteLength, traces.byteLength) > maxRequestBytes)
    return [...encode(emissions.slice(0, half)), ...encode(emissions.slice(half))];
  return [{ logs, traces, records: emissions.length }];
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
