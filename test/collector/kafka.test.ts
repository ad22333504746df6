import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeAlertJson } from '../../otel/alert.ts';
import { encodeLogs } from '../../otel/otlp/logs.ts';
import { type Kafka, startKafka } from '../kafka/broker.ts';
import { eventually } from './eventually.ts';
import { get, Main } from './main.ts';
import { framed, GrpcClient, LOGS, TRACES } from './receive/client.ts';
import { alertLogs, alertTraces, logRecord, RESOURCE, SCOPE, sampleAlert } from './samples.ts';

// One broker for the file, away at first; each test goes on where the one before ended.
let kafka: Kafka;
let folder: string;
let config: string;
let main: Main | undefined;
let client: GrpcClient;
let statusSocket: string;

beforeAll(async () => {
  kafka = await startKafka({ started: false });
  folder = mkdtempSync(join(tmpdir(), 'picket-collector-kafka-'));
  config = join(folder, 'collector.yaml');
});
afterAll(async () => {
  client?.[Symbol.dispose]();
  await main?.[Symbol.asyncDispose]();
  await kafka?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function startCollector(more = ''): Promise<void> {
  writeFileSync(
    config,
    [
      `stateDir: ${folder}/state`,
      `statusSocket: ${folder}/collector.sock`,
      'otlp: {grpc: {address: "127.0.0.1:0"}}',
      `kafka: {brokers: ["${kafka.brokers}"], timeoutMs: 3000${more}}`,
    ].join('\n'),
  );
  main = new Main(['collector', '--config', config, '--ready-fd', '3'], { readyFd: true });
  const ready = await main.ready();
  expect(ready.sinks).toEqual(['kafka']);
  statusSocket = ready.statusSocket;
  client = new GrpcClient(ready.address);
}

async function stopCollector(signal: NodeJS.Signals): Promise<void> {
  client[Symbol.dispose]();
  const started = Date.now();
  expect(await main?.stop(signal)).toBe(signal === 'SIGKILL' ? 'SIGKILL' : 0);
  expect(Date.now() - started).toBeLessThan(5000);
}

const token = () => ({ authorization: `Bearer ${readFileSync(`${folder}/state/token`, 'utf8').trim()}` });

async function send(path: string, request: Uint8Array): Promise<void> {
  expect(await client.call(path, [framed(request)], token())).toMatchObject({ status: 0 });
}

const sendAlerts = (...numbers: number[]) => send(LOGS, alertLogs(...numbers.map((number) => sampleAlert(number))));

interface Status {
  spool: { entries: number };
  sinks: { waitingFor?: string; delivered: Record<string, number>; dropped: object }[];
}
const status = async () => (await get(statusSocket, '/v1/status')).body as Status;
const delivered = () => eventually(async () => (await status()).spool.entries).toBe(0);
/** Numbers of the sample alerts on Kafka, repeats left out as a consumer does it. */
async function alertNumbers(): Promise<number[]> {
  const ids = new Map(
    (await kafka.consumeAll('picket.alerts')).map(({ headers, value }) => [headers['alert-id'], value]),
  );
  return [...ids.values()].map((value) => JSON.parse(String(value)).Picket.Seq - 1).sort((a, b) => a - b);
}

const KEY = sampleAlert(0).ContainerID;
const OTLP = { 'content-type': 'application/x-protobuf' };

test('collector takes alerts while Kafka is away at start, and delivers them when it comes', async () => {
  await startCollector();
  await sendAlerts(1);
  await send(TRACES, alertTraces(sampleAlert(1)));
  await eventually(async () => (await status()).sinks[0]?.waitingFor).toMatch(/ECONNREFUSED/);
  expect((await status()).spool.entries).toBe(2);
  await kafka.start();
  await delivered();
  expect((await status()).sinks[0]).toMatchObject({
    delivered: { 'picket.alerts': 1, 'picket.otlp.logs': 1, 'picket.otlp.spans': 1 },
    dropped: {},
  });
  for (const topic of ['picket.alerts', 'picket.otlp.logs', 'picket.otlp.spans', 'picket.deadletter'])
    expect(await kafka.describe(topic)).toEqual({ partitions: 6, replicas: 1 });
  // Topics just made: the first records are there once.
  const [alert, ...more] = await kafka.consumeAll('picket.alerts');
  expect(more).toEqual([]);
  expect(alert).toMatchObject({
    key: KEY,
    headers: {
      'alert-id': sampleAlert(1).Picket.AlertID,
      schema: '1',
      'content-type': 'application/json',
      traceparent: `00-${sampleAlert(1).Picket.TraceID}-${sampleAlert(1).Picket.SpanID}-01`,
    },
  });
  expect(String(alert?.value)).toBe(encodeAlertJson(sampleAlert(1)));
  const bytes = (value: Uint8Array) => Buffer.from(value);
  expect(await kafka.consumeAll('picket.otlp.logs')).toMatchObject([
    { key: KEY, headers: OTLP, value: bytes(alertLogs(sampleAlert(1))) },
  ]);
  expect(await kafka.consumeAll('picket.otlp.spans')).toMatchObject([
    { key: KEY, headers: OTLP, value: bytes(alertTraces(sampleAlert(1))) },
  ]);
});

test("Kafka's console consumer reads an alert with key and headers", async () => {
  const { AlertID, TraceID, SpanID } = sampleAlert(1).Picket;
  const headers = `alert-id:${AlertID},schema:1,content-type:application/json,traceparent:00-${TraceID}-${SpanID}-01`;
  expect(await kafka.console('picket.alerts', 1)).toBe(`${headers}\t${KEY}\t${encodeAlertJson(sampleAlert(1))}\n`);
});

test('an alert is readable on Kafka within a second of its arrival', async () => {
  const stop = new AbortController();
  const arrivals = new Map<string, number>();
  const reading = (async () => {
    for await (const { headers } of kafka.follow('picket.alerts', stop.signal))
      arrivals.set(headers['alert-id'] ?? '', performance.now());
  })();
  await eventually(() => arrivals.size).toBe(1); // the consumer is up: it has read what was there
  const took: number[] = [];
  for (let number = 2; number < 12; number++) {
    const sent = performance.now();
    await sendAlerts(number);
    await eventually(() => arrivals.size).toBe(number);
    took.push((arrivals.get(sampleAlert(number).Picket.AlertID) ?? Number.NaN) - sent);
  }
  stop.abort();
  await reading;
  console.log(`OTLP request to Kafka consumer: ${took.map((ms) => ms.toFixed(0)).join(' ')} ms`);
  expect(Math.max(...took)).toBeLessThan(1000);
});

test('collector keeps what comes while Kafka is away in the middle; nothing is missing afterwards', async () => {
  await sendAlerts(12);
  await kafka.stop();
  for (let number = 13; number < 23; number++) await sendAlerts(number);
  await eventually(async () => (await status()).sinks[0]?.waitingFor).toBeTruthy();
  await kafka.start();
  await delivered();
  expect(await alertNumbers()).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'collector ended by %s while Kafka is away delivers after its restart',
  async (signal) => {
    const before = await alertNumbers();
    const next = before.length + 1;
    await kafka.stop();
    await sendAlerts(next);
    await sendAlerts(next + 1);
    await stopCollector(signal);
    await startCollector();
    await kafka.start();
    await delivered();
    expect(await alertNumbers()).toEqual([...before, next, next + 1]);
  },
);

test('collector does not hang with a broker that hangs: it goes on taking alerts, ends in time, and delivers later', async () => {
  const before = await alertNumbers();
  const next = before.length + 1;
  kafka.freeze();
  await sendAlerts(next);
  await eventually(async () => (await status()).sinks[0]?.waitingFor).toMatch(/timed out|no answer/i);
  await sendAlerts(next + 1);
  kafka.thaw();
  await delivered();
  kafka.freeze();
  await sendAlerts(next + 2);
  await stopCollector('SIGTERM');
  kafka.thaw();
  await startCollector();
  await delivered();
  expect(await alertNumbers()).toEqual([...before, next, next + 1, next + 2]);
});

test('collector keeps the order of a container while Kafka comes and goes', async () => {
  const order = (await kafka.consumeAll('picket.alerts')).map(({ headers }) => headers['alert-id'] ?? '');
  const first = order.filter((id, i) => order.indexOf(id) === i);
  expect(first).toEqual([...first].sort());
});

test('collector sends a group that is too large in parts, and what the broker refuses to the dead letters', async () => {
  const numbers = Array.from({ length: 900 }, (_, i) => i + 100);
  const shared = { resource: RESOURCE, scope: SCOPE };
  const large = encodeLogs([
    { ...shared, records: Array.from({ length: 900 }, (_, i) => logRecord(`${i} ${'x'.repeat(2000)}`)) },
  ]);
  await sendAlerts(...numbers);
  await send(LOGS, large);
  // Above the broker's own limit of 1,048,588 bytes, compressed or not, and above ours.
  await send(LOGS, encodeLogs([{ ...shared, records: [logRecord('y'.repeat(1_200_000))] }]));
  await delivered();
  expect((await alertNumbers()).filter((number) => number >= 100)).toEqual(numbers);
  const parts = (await kafka.consumeAll('picket.otlp.logs')).filter(({ key }) => key === 'c'.repeat(64));
  expect(parts).toHaveLength(2);
  expect(await kafka.consumeAll('picket.deadletter')).toMatchObject([
    { key: 'c'.repeat(64), headers: { topic: 'picket.otlp.logs', reason: expect.stringMatching(/^1200\d\d\d bytes/) } },
  ]);
});

test('collector makes a topic anew that was taken away under it', async () => {
  await kafka.deleteTopic('picket.otlp.spans');
  await send(TRACES, alertTraces(sampleAlert(1999)));
  await delivered();
  expect(await kafka.consumeAll('picket.otlp.spans')).toHaveLength(1);
});

test('collector finds what the broker alone thinks too large, and delivers the records beside it', async () => {
  await stopCollector('SIGTERM');
  // Larger than the broker takes, smaller than the collector believes it does.
  await startCollector(', maxRecordBytes: 2000000');
  await send(
    LOGS,
    Buffer.concat([
      alertLogs(sampleAlert(2000)),
      encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('z'.repeat(1_100_000))] }]),
      alertLogs(sampleAlert(2001)),
    ]),
  );
  await delivered();
  expect((await alertNumbers()).slice(-2)).toEqual([2000, 2001]);
  expect((await kafka.consumeAll('picket.deadletter')).map(({ headers }) => headers.reason)).toContainEqual(
    expect.stringMatching(/^1100\d\d\d bytes, more than the brokers take for picket.otlp.logs$/),
  );
});

test('collector that may not create topics says which, and how to', async () => {
  await stopCollector('SIGTERM');
  await using bare = await startKafka();
  const real = kafka;
  kafka = bare;
  try {
    await startCollector(', createTopics: false');
    await sendAlerts(3000);
    await eventually(async () => (await status()).sinks[0]?.waitingFor).toMatch(
      /^topics are missing .*kafka.createTopics is false.*kafka-topics.sh --bootstrap-server 127.0.0.1:\d+ --create --topic picket.alerts --partitions 6/,
    );
    expect(main?.stderr).toContain('kafka-topics.sh');
  } finally {
    await stopCollector('SIGTERM');
    kafka = real;
  }
});
