import { type Alert, encodeAlertJson } from '../../../otel/alert.ts';
import { splitResources } from '../../../otel/otlp/split.ts';
import type { Batch } from '../../../otel/spool/spool.ts';
import { alertsIn } from '../../route/alerts.ts';
import { cutGroup } from '../../route/regroup.ts';
import type { OutgoingRecord } from './producer.ts';

export const topics = {
  alerts: 'picket.alerts',
  logs: 'picket.otlp.logs',
  spans: 'picket.otlp.spans',
  deadLetter: 'picket.deadletter',
} as const;

/** Bytes of a dead letter's value that are kept; the header `original-bytes` says how many there were. */
const DEAD_LETTER_BYTES = 256 * 1024;

/**
 * What a batch is on Kafka: each alert as JSON (the alert reference, section 5), then each ResourceLogs and
 * ResourceSpans as it came. Groups larger than `maxRecordBytes` are cut between their records; what is larger even so,
 * and what says it is an alert and is not, becomes a dead letter.
 */
export function kafkaRecords(batch: Batch, maxRecordBytes: number): OutgoingRecord[] {
  const records: OutgoingRecord[] = [];
  if (batch.logs) {
    const { alerts, broken } = alertsIn(batch.logs);
    for (const alert of alerts) records.push(alertRecord(alert));
    for (const { reason, request } of broken)
      records.push(deadLetter(otlpRecord(topics.alerts, splitResources(request)[0]?.key, request), reason));
    records.push(...otlpRecords(topics.logs, batch.logs, maxRecordBytes));
  }
  if (batch.traces) records.push(...otlpRecords(topics.spans, batch.traces, maxRecordBytes));
  return records.map((record) =>
    record.value.length <= maxRecordBytes
      ? record
      : deadLetter(record, `${record.value.length} bytes, at most ${maxRecordBytes} are sent`),
  );
}

function alertRecord(alert: Alert): OutgoingRecord {
  const { AlertID, TraceID, SpanID } = alert.Picket;
  return {
    topic: topics.alerts,
    key: alert.ContainerID ?? alert.HostName,
    value: Buffer.from(encodeAlertJson(alert)),
    headers: {
      'alert-id': AlertID,
      schema: '1',
      'content-type': 'application/json',
      traceparent: `00-${TraceID}-${SpanID}-01`,
    },
  };
}

function* otlpRecords(topic: string, request: Uint8Array, maxBytes: number): Generator<OutgoingRecord> {
  for (const { bytes, key, records } of splitResources(request))
    if (records > 0) for (const piece of cutGroup(bytes, maxBytes)) yield otlpRecord(topic, key, piece);
}

function otlpRecord(topic: string, key: string | undefined, request: Uint8Array): OutgoingRecord {
  const value = Buffer.from(request.buffer, request.byteOffset, request.length);
  return { topic, key, value, headers: { 'content-type': 'application/x-protobuf' } };
}

/** The record as a dead letter: where it should have gone and why it could not. A dead letter stays what it is. */
export function deadLetter(record: OutgoingRecord, reason: string): OutgoingRecord {
  const value = record.value.subarray(0, DEAD_LETTER_BYTES);
  const original = { topic: record.topic, 'original-bytes': String(record.value.length) };
  return {
    topic: topics.deadLetter,
    key: record.key,
    value,
    headers: record.topic === topics.deadLetter ? record.headers : { ...record.headers, ...original, reason },
  };
}
