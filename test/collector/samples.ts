import type { VerdictAlert } from '../../otel/alert.ts';
import type { KeyValue } from '../../otel/otlp/attribute.ts';
import type { LogRecord } from '../../otel/otlp/log.ts';
import type { Resource, Scope } from '../../otel/otlp/resource.ts';
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
