import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { partitionOf } from '../../../../collector/sinks/kafka/producer.ts';
import { kafkaRecords } from '../../../../collector/sinks/kafka/records.ts';
import { decodeLogs, encodeLogs } from '../../../../otel/otlp/logs.ts';
import { unlinkAlert, unlinkJson } from '../../../otel/sample-alerts.ts';
import { alertLogs, alertTraces, field, logRecord, RESOURCE, SCOPE, sampleAlert, text } from '../../samples.ts';

const MAX = 1_000_000;
const records = (batch: { logs?: Uint8Array; traces?: Uint8Array }, max = MAX) =>
  kafkaRecords({ ...batch, records: 1 }, max);

test('kafkaRecords() makes of an alert the JSON, key and headers of the reference, and its resource groups as they came', () => {
  const logs = alertLogs(unlinkAlert);
  const traces = alertTraces(unlinkAlert);
  const key = unlinkAlert.ContainerID;
  expect(records({ logs, traces }).map((record) => ({ ...record, value: record.value.toString('latin1') }))).toEqual([
    {
      topic: 'picket.alerts',
      key,
      value: unlinkJson,
      headers: {
        'alert-id': '01GBSHSV68K0QH6Q3S9X0WJ7ZN',
        schema: '1',
        'content-type': 'application/json',
        traceparent: '00-4b801ecef4da8ba67f6098388466e4a3-810fefb32af86fb2-01',
      },
    },
    {
      topic: 'picket.otlp.logs',
      key,
      value: Buffer.from(logs).toString('latin1'),
      headers: { 'content-type': 'application/x-protobuf' },
    },
    {
      topic: 'picket.otlp.spans',
      key,
      value: Buffer.from(traces).toString('latin1'),
      headers: { 'content-type': 'application/x-protobuf' },
    },
  ]);
});

test('kafkaRecords() keys a host alert by the host, and a resource by container, else host, else nothing', () => {
  const { ContainerID: _, ...host } = unlinkAlert;
  expect(records({ logs: alertLogs(host) }).map(({ key }) => key)).toEqual(['vagrant', 'vagrant']);
  const nobody = encodeLogs([
    { resource: { attributes: [text('service.name', 'x')] }, scope: SCOPE, records: [logRecord('a')] },
  ]);
  expect(records({ logs: nobody })).toMatchObject([{ topic: 'picket.otlp.logs', key: undefined }]);
});

test('kafkaRecords() sends what is no alert to picket.otlp.* only, one record for each resource, byte for byte', () => {
  const first = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('a'), logRecord('b')] }]);
  const second = Buffer.concat([alertLogs(sampleAlert(1)), field(77, Buffer.from('from the future'))]);
  const sent = records({ logs: Buffer.concat([first, second]) });
  expect(sent.map(({ topic }) => topic)).toEqual(['picket.alerts', 'picket.otlp.logs', 'picket.otlp.logs']);
  expect(sent.slice(1).map(({ value }) => value.toString('hex'))).toEqual(
    [first, second].map((bytes) => Buffer.from(bytes).toString('hex')),
  );
});

test('kafkaRecords() makes a dead letter of what says it is an alert and is not; its bytes stay in picket.otlp.logs', () => {
  const logs = encodeLogs([
    { resource: RESOURCE, scope: SCOPE, records: [logRecord('x', { eventName: 'picket.alert.file' })] },
  ]);
  const [dead, raw, ...rest] = records({ logs });
  expect(rest).toEqual([]);
  expect(dead).toMatchObject({
    topic: 'picket.deadletter',
    headers: { topic: 'picket.alerts', reason: expect.stringMatching(/./) },
  });
  expect(decodeLogs(dead?.value ?? Buffer.alloc(0))).toEqual(decodeLogs(logs));
  expect(raw).toMatchObject({ topic: 'picket.otlp.logs' });
});

test('kafkaRecords() cuts a group that is too large between its records', () => {
  const alerts = Array.from({ length: 30 }, (_, i) => sampleAlert(i));
  const logs = alertLogs(...alerts);
  const sent = records({ logs: encodeLogs(alertGroup(logs)) }, 10_000).filter(
    ({ topic }) => topic === 'picket.otlp.logs',
  );
  expect(sent.length).toBeGreaterThan(2);
  for (const { value, key } of sent) {
    expect(value.length).toBeLessThanOrEqual(10_000);
    expect(key).toBe(unlinkAlert.ContainerID);
  }
  const seqs = sent
    .flatMap(({ value }) => decodeLogs(value))
    .flatMap(({ scopes }) => scopes.flatMap(({ records: inner }) => inner));
  expect(seqs).toEqual(decodeLogs(logs).flatMap(({ scopes }) => scopes.flatMap(({ records: inner }) => inner)));
});

/** The same records under one resource. */
function alertGroup(logs: Uint8Array) {
  const decoded = decodeLogs(logs);
  const resource = decoded[0]?.resource ?? RESOURCE;
  return decoded.flatMap(({ scopes }) =>
    scopes.map(({ scope, records: inner }) => ({ resource, scope, records: inner })),
  );
}

test('kafkaRecords() makes a cut dead letter of a record that is too large by itself', () => {
  const huge = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('x'.repeat(600_000))] }]);
  const [dead, ...rest] = records({ logs: huge }, 500_000);
  expect(rest).toEqual([]);
  expect(dead).toMatchObject({
    topic: 'picket.deadletter',
    key: 'c'.repeat(64),
    headers: { topic: 'picket.otlp.logs', 'original-bytes': String(huge.length) },
  });
  expect(dead?.headers.reason).toMatch(/^600\d\d\d bytes, at most 500000 are sent$/);
  expect(dead?.value).toEqual(Buffer.from(huge.subarray(0, 256 * 1024)));
});

test("partitionOf() is the partition that Kafka's own clients choose for a key", () => {
  const partition = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.stringMatching(/^[0-9a-f]{64}$/)),
      fc.integer({ min: 1, max: 50 }),
      (key, count) => {
        const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
          partitionId,
          partitionErrorCode: 0,
          leader: 0,
          replicas: [],
          isr: [],
        }));
        const expected = partition({ topic: 't', partitionMetadata, message: { key, value: null } });
        expect(partitionOf(Buffer.from(key)) % count).toBe(expected);
      },
    ),
  );
});
