import { setTimeout as wait } from 'node:timers/promises';
import { Admin, findErrorBy } from '@platformatic/kafka';
import { type ClientOptions, connection, reasonOf } from './producer.ts';

export interface TopicOptions extends ClientOptions {
  readonly createTopics: boolean;
  readonly partitions: number;
  /** -1: what the brokers have as default. */
  readonly replicationFactor: number;
}

export type TopicResult =
  | { readonly kind: 'ready'; readonly created: readonly string[] }
  /** The brokers do not answer, or not yet. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Somebody has to create them; `reason` says how. */
  | { readonly kind: 'missing'; readonly reason: string };

/**
 * Sees to it that the topics are there and can be written. A topic just created has leaders that still answer
 * NOT_LEADER; the client's retry would then repeat records, so every partition is probed first.
 */
export async function ensureTopics(names: readonly string[], options: TopicOptions): Promise<TopicResult> {
  const admin = new Admin(connection(options));
  try {
    const there = new Set(await admin.listTopics());
    const missing = names.filter((name) => !there.has(name));
    if (missing.length === 0) return { kind: 'ready', created: [] };
    if (!options.createTopics)
      return { kind: 'missing', reason: howTo(missing, options, 'kafka.createTopics is false') };
    const refused = await create(admin, missing, options);
    if (refused) return { kind: 'missing', reason: howTo(missing, options, refused) };
    await leadersAnswer(admin, missing, options);
    return { kind: 'ready', created: missing };
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) };
  } finally {
    await admin.close().catch(() => {});
  }
}

const FORBIDDEN = ['CLUSTER_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED', 'POLICY_VIOLATION'];
const IMPOSSIBLE = ['INVALID_REPLICATION_FACTOR', 'INVALID_PARTITIONS', 'INVALID_CONFIG'];

/** The reason why the brokers will not create them, if so. Another collector that was faster is no failure. */
async function create(admin: Admin, topics: readonly string[], options: TopicOptions): Promise<string | undefined> {
  for (const topic of topics) {
    try {
      await admin.createTopics({
        topics: [topic],
        partitions: options.partitions,
        replicas: options.replicationFactor,
      });
    } catch (error) {
      const found = (id: string) => findErrorBy(error as Error, 'apiId', id);
      if (found('TOPIC_ALREADY_EXISTS')) continue;
      const refused = [...FORBIDDEN, ...IMPOSSIBLE].find(found);
      if (refused) return refused;
      throw error;
    }
  }
  return undefined;
}

async function leadersAnswer(admin: Admin, topics: readonly string[], { timeoutMs }: TopicOptions): Promise<void> {
  for (const end = Date.now() + timeoutMs; ; await wait(100)) {
    try {
      const { topics: known } = await admin.metadata({ topics: [...topics], forceUpdate: true });
      await admin.listOffsets({
        topics: [...known].map(([name, { partitionsCount }]) => ({
          name,
          partitions: Array.from({ length: partitionsCount }, (_, partitionIndex) => ({
            partitionIndex,
            timestamp: -1n,
          })),
        })),
      });
      return;
    } catch (error) {
      if (Date.now() >= end) throw error;
    }
  }
}

function howTo(topics: readonly string[], { brokers, partitions }: TopicOptions, why: string): string {
  const commands = topics.map(
    (topic) => `kafka-topics.sh --bootstrap-server ${brokers[0]} --create --topic ${topic} --partitions ${partitions}`,
  );
  return `topics are missing and cannot be created from here (${why}). Create them: ${commands.join(' && ')}`;
}
