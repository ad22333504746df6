import type { VerdictAlert } from '../../otel/alert.ts';
import { type AlertContext, toRecord, toResource, toScope, toSpan } from '../../otel/mapping/mapping.ts';
import type { KeyValue } from '../../otel/otlp/attribute.ts';
import type { LogRecord } from '../../otel/otlp/log.ts';
import { encodeLogs } from '../../otel/otlp/logs.ts';
import type { Resource, Scope } from '../../otel/otlp/resource.ts';
import { encodeTraces } from '../../otel/otlp/traces.ts';
import { unlinkAlert } from '../otel/sample-alerts.ts';

export const text = (key: string, value: string): KeyValue => ({ key, value: { kind: 'string', value } });

export const RESOURCE: Resource = { attributes: [text('container.id', 'c'.repeat(64)), text('host.name', 'node-1')] };
export const SCOPE: Scope = { name: 'some-sensor', version: '1', attributes: [] };

/** A log record that is no alert. */
export function logRecord(body: string, more: Partial<LogRecord> = {}): LogRecord {
  return {
    timeUnixNano: 1n,
    observedTimeUnixNano: 2n,
    severityNumber: 9,
    severityText: '',
    body: { kind: 'string', value: body },
    attributes: [],
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
    ...more,
  };
}

/** A length-delimited protobuf field. */
export function field(number: number, content: Uint8Array): Buffer {
  const prefix: number[] = [];
  const varint = (value: number) => {
    for (; value > 0x7f; value >>>= 7) prefix.push((value & 0x7f) | 0x80);
    prefix.push(value);
  };
  varint((number << 3) | 2);
  varint(content.length);
  return Buffer.concat([Buffer.from(prefix), content]);
}

/** The sample alert with another id for each number, at a time of its own (seconds after the sample), and changes. */
export function sampleAlert(number: number, changes: Partial<VerdictAlert> = {}): VerdictAlert {
  const seconds = unlinkAlert.Timestamp + number;
  return {
    ...unlinkAlert,
    Timestamp: seconds,
    UpdatedTime: `${new Date(seconds * 1000).toISOString().slice(0, 19)}.368285Z`,
    ...changes,
    Picket: { ...unlinkAlert.Picket, AlertID: `01GBSHSV68K0QH6Q${String(number).padStart(10, '0')}`, Seq: number + 1 },
  };
}

const CONTEXT: AlertContext = {
  observedNs: 1_661_936_136_000_000_000n,
  kernelRelease: '6.1.0',
  bootId: '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55',
  errno: 0,
  processSpanId: 'fe53e2bce12ff43b',
};

/** Alerts as an agent sends them: an export request of logs. */
export function alertLogs(...alerts: VerdictAlert[]): Uint8Array {
  return encodeLogs(
    alerts.map((alert) => ({
      resource: toResource(alert, CONTEXT),
      scope: toScope(alert, CONTEXT),
      records: [toRecord(alert, CONTEXT)],
    })),
  );
}

/** The spans of alerts: an export request of traces. */
export function alertTraces(...alerts: VerdictAlert[]): Uint8Array {
  return encodeTraces(
    alerts.map((alert) => ({
      resource: toResource(alert, CONTEXT),
      scope: toScope(alert, CONTEXT),
      spans: [toSpan(alert, CONTEXT)],
    })),
  );
}
