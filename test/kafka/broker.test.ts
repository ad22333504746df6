import { Kafka as Client, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from './broker.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka({ started: false });
});
afterAll(async () => {
  await kafka[Symbol.asyncDispose]();
});

test('startKafka() brings a broker that keeps records over a crash and shows them to two consumers', async () => {
  await kafka.start();
  const client = new Client({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'trial', numPartitions: 2 }] });
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  await producer.send({ topic: 'trial', messages: [{ key: 'k', value: 'v', headers: { h: 'x' } }] });
  await producer.disconnect();

  await kafka.stop();
  await kafka.start();

  expect(await kafka.consumeAll('absent')).toEqual([]);
  expect(await kafka.describe('trial')).toEqual({ partitions: 2, replicas: 1 });
  const records = await kafka.consumeAll('trial');
  expect(records.map(({ key, value, headers }) => [key, String(value), headers])).toEqual([['k', 'v', { h: 'x' }]]);
  expect(await kafka.console('trial', 1)).toBe('h:x\tk\tv\n');
});
