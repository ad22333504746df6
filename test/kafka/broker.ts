import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  consoleConsumer,
  consumeAll,
  deleteTopic,
  follow,
  type KafkaRecord,
  type TopicDescription,
  topicDescription,
} from './consume.ts';
import { kafkaJars } from './jars.ts';

const run = promisify(execFile);

/** A real one-node Kafka (KRaft) of its own: own folder, free ports on 127.0.0.1, gone with the handle. */
export interface Kafka extends AsyncDisposable {
  /** `127.0.0.1:PORT`, the same after a stop and a start. */
  readonly brokers: string;
  /** Starts it (again) on the same port and data; returns when it answers. */
  start(): Promise<void>;
  /** Takes it away: SIGKILL by default, as a crash; its data stay. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stops its clock (SIGSTOP): connections stay open and nobody answers, as behind a broken network. */
  freeze(): void;
  thaw(): void;
  /** All records of a topic up to its present end, by partition and offset; empty when there is no such topic. */
  consumeAll(topic: string): Promise<KafkaRecord[]>;
  /** Records from the beginning of a topic as they become readable, until the loop is left or `signal` aborts. */
  follow(topic: string, signal: AbortSignal): AsyncIterable<KafkaRecord>;
  /** What Kafka's own console consumer prints for a topic (from the beginning, up to `count` records). */
  console(topic: string, count: number): Promise<string>;
  deleteTopic(topic: string): Promise<void>;
  /** Partitions, replicas and settings of a topic, undefined when there is none. */
  describe(topic: string): Promise<TopicDescription | undefined>;
}

export interface KafkaOptions {
  /** false: everything is prepared, but the broker is away until `start()`. */
  readonly started?: boolean;
  /** Further lines of server.properties, such as `message.max.bytes=2000`. */
  readonly settings?: readonly string[];
}

/** Starts a broker. Needs Java (Debian: default-jre-headless); the jars come by `kafkaJars()`. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const jars = await kafkaJars();
  const folder = await mkdtemp(join(tmpdir(), 'picket-kafka-'));
  const [port, controllerPort] = await freePorts();
  await writeFile(join(folder, 'log4j2.properties'), LOGGING);
  await writeFile(
    join(folder, 'server.properties'),
    [...settings(folder, port, controllerPort), ...(options.settings ?? [])].join('\n'),
  );
  const java = [
    '-XX:TieredStopAtLevel=1',
    '-cp',
    jars.broker,
    `-Dlog4j2.configurationFile=${folder}/log4j2.properties`,
  ];
  const format = [
    'kafka.tools.StorageTool',
    'format',
    '-t',
    '4L6g3nShT-eMCtK--X86sw',
    '-c',
    `${folder}/server.properties`,
  ];
  await run('java', ['-Xmx128m', ...java, ...format]).catch((cause) => {
    if (cause.code === 'ENOENT') throw new Error('java is missing: apt-get install default-jre-headless', { cause });
    throw cause;
  });

  let child: ChildProcess | undefined;
  const kill = () => child?.kill('SIGKILL');
  process.once('exit', kill);
  const brokers = `127.0.0.1:${port}`;
  const kafka: Kafka = {
    brokers,
    async start() {
      if (child) return;
      const log = openSync(join(folder, 'broker.log'), 'a');
      const memory = ['-Xms256m', '-Xmx256m', '-XX:MaxDirectMemorySize=128m'];
      child = spawn('java', [...memory, ...java, 'kafka.Kafka', `${folder}/server.properties`], {
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      await answering(child, port, join(folder, 'broker.log'));
    },
    async stop(signal = 'SIGKILL') {
      if (!child) return;
      const gone = child;
      child = undefined;
      if (gone.exitCode !== null || gone.signalCode !== null) return;
      gone.kill(signal);
      await once(gone, 'exit');
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    consumeAll: (topic) => consumeAll(brokers, topic),
    follow: (topic, signal) => follow(brokers, topic, signal),
    console: (topic, count) => consoleConsumer(jars.console, brokers, topic, count),
    deleteTopic: (topic) => deleteTopic(brokers, topic),
    describe: (topic) => topicDescription(brokers, topic),
    async [Symbol.asyncDispose]() {
      await kafka.stop();
      process.removeListener('exit', kill);
      await rm(folder, { recursive: true, force: true });
    },
  };
  if (options.started !== false) await kafka.start();
  return kafka;
}

/** Ready = the client port answers; a busy machine needs up to half a minute. */
async function answering(child: ChildProcess, port: number, log: string): Promise<void> {
  for (const end = Date.now() + 90_000; Date.now() < end; await wait(100)) {
    if (child.exitCode !== null) break;
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      // not yet
    } finally {
      socket.destroy();
    }
  }
  child.kill('SIGKILL');
  throw new Error(`the Kafka broker did not start:\n${(await readFile(log, 'utf8')).slice(-4000)}`);
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  for (const server of servers) server.close();
  return ports as [number, number];
}

const LOGGING = `rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
`;

const settings = (folder: string, port: number, controllerPort: number) => [
  'process.roles=broker,controller',
  'node.id=1',
  `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
  `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
  'controller.listener.names=CONTROLLER',
  `log.dirs=${folder}/data`,
  'auto.create.topics.enable=false',
  'group.initial.rebalance.delay.ms=0',
  'offsets.topic.num.partitions=1',
  'offsets.topic.replication.factor=1',
  'transaction.state.log.replication.factor=1',
  'transaction.state.log.min.isr=1',
  'share.coordinator.state.topic.replication.factor=1',
  'share.coordinator.state.topic.min.isr=1',
  'num.network.threads=2',
  'num.io.threads=2',
  'log.cleaner.enable=false',
  'controlled.shutdown.enable=false',
  // A broker that comes back from a crash registers again only when its old session has run out (9 s by default).
  'broker.session.timeout.ms=3000',
  'broker.heartbeat.interval.ms=500',
];
