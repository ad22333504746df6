import type { Alert } from '../../otel/alert.ts';
import { fromRecord, isAlertRecord } from '../../otel/mapping/mapping.ts';
import type { LogRecord } from '../../otel/otlp/log.ts';
import { decodeLogs, encodeLogs } from '../../otel/otlp/logs.ts';
import type { Resource, Scope } from '../../otel/otlp/resource.ts';

/** A log record that says it is an alert and is not a whole one. */
export interface BrokenAlert {
  readonly reason: string;
  /** The record with its resource and scope, as a request of its own. */
  readonly request: Uint8Array;
}

export interface Alerts {
  readonly alerts: Alert[];
  readonly broken: BrokenAlert[];
}

/** The alerts in an export request, in its order. Records that are something else are passed over. */
export function alertsIn(logs: Uint8Array): Alerts {
  const found: Alerts = { alerts: [], broken: [] };
  for (const { resource, scopes } of decodeLogs(logs))
    for (const { scope, records } of scopes)
      for (const record of records) if (isAlertRecord(record)) collect(found, record, resource, scope);
  return found;
}

function collect(found: Alerts, record: LogRecord, resource: Resource, scope: Scope): void {
  try {
    found.alerts.push(fromRecord(record, resource, scope));
  } catch (error) {
    const request = encodeLogs([{ resource, scope, records: [record] }]);
    found.broken.push({ reason: (error as Error).message, request });
  }
}

const BLOCK = Buffer.from('\x0a\x0dpicket.action\x12\x07\x0a\x05Block', 'latin1');

/** Whether a request holds an alert about something that was refused, found by its bytes alone: attribute picket.action. */
export function holdsBlock(logs: Uint8Array): boolean {
  return Buffer.from(logs.buffer, logs.byteOffset, logs.length).includes(BLOCK);
}
