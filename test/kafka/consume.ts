import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { Kafka as Client, type Consumer, type KafkaMessage, logLevel } from 'kafkajs';

// kafkajs reads what @platformatic/kafka wrote: the side under test is never its own witness.

const run = promisify(execFile);

export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** The producer's clock, milliseconds. */
  readonly timestampMs: number;
  readonly key: string | undefined;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly partitions: number;
  readonly replicas: number;
}

const client = (brokers: string) =>
  new Client({ clientId: 'picket-test', brokers: [brokers], logLevel: logLevel.NOTHING, retry: { retries: 8 } });

export async function consumeAll(brokers: string, topic: string): Promise<KafkaRecord[]> {
  const ends = new Map<number, bigint>();
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) return [];
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic))
      if (BigInt(high) > BigInt(low)) ends.set(partition, BigInt(high));
  } finally {
    await admin.disconnect();
  }
  const records: KafkaRecord[] = [];
  if (ends.size > 0) {
    const stop = new AbortController();
    for await (const record of follow(brokers, topic, stop.signal)) {
      const end = ends.get(record.partition) ?? 0n;
      if (record.offset < end) records.push(record);
      if (record.offset + 1n >= end) ends.delete(record.partition);
      if (ends.size === 0) break;
    }
  }
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

export async function* follow(brokers: string, topic: string, signal: AbortSignal): AsyncGenerator<KafkaRecord> {
  const consumer = client(brokers).consumer({ groupId: `picket-test-${randomUUID()}`, maxWaitTimeInMs: 50 });
  const arrived: KafkaRecord[] = [];
  let wake = Promise.withResolvers<void>();
  const onAbort = () => wake.resolve();
  signal.addEventListener('abort', onAbort);
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        arrived.push(recordOf(topic, partition, message));
        wake.resolve();
      },
    });
    while (!signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      yield* arrived.splice(0);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await leave(consumer);
  }
}

async function leave(consumer: Consumer): Promise<void> {
  await consumer.disconnect().catch(() => {}); // the broker may be gone on purpose
}

function recordOf(topic: string, partition: number, message: KafkaMessage): KafkaRecord {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) headers[name] = String(value);
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key?.toString(),
    value: message.value ?? Buffer.alloc(0),
    headers,
  };
}

export async function topicDescription(brokers: string, topic: string): Promise<TopicDescription | undefined> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) return undefined;
    const found = (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0];
    return found && { partitions: found.partitions.length, replicas: found.partitions[0]?.replicas.length ?? 0 };
  } finally {
    await admin.disconnect();
  }
}

export async function deleteTopic(brokers: string, topic: string): Promise<void> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.disconnect();
  }
}

/** Key, headers and value of each record as Kafka's own command prints them: `HEADERS<TAB>KEY<TAB>VALUE`. */
export async function consoleConsumer(
  classPath: string,
  brokers: string,
  topic: string,
  count: number,
): Promise<string> {
  const properties = ['print.headers=true', 'print.key=true'].flatMap((each) => ['--formatter-property', each]);
  const { stdout } = await run(
    'java',
    [
      ...['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'org.apache.kafka.tools.consumer.ConsoleConsumer'],
      ...['--bootstrap-server', brokers, '--topic', topic, '--from-beginning', '--max-messages', String(count)],
      ...['--timeout-ms', '30000', ...properties],
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}
