import { mkdirSync } from 'node:fs';
import type { Logger } from 'pino';
import { openSpool } from '../otel/spool/spool.ts';
import { readOrCreateToken } from '../otel/token.ts';
import type { Config } from './config/schema.ts';
import { splitEndpoint } from './config/schema.ts';
import { Delivery } from './deliver/delivery.ts';
import { CollectorError } from './error.ts';
import { Ledger } from './ledger.ts';
import { ByteBudget } from './receive/budget.ts';
import { intake } from './receive/intake.ts';
import { type Receiver, startReceiver } from './receive/receiver.ts';
import type { Sink } from './sinks/sink.ts';
import { StoreSink } from './sinks/store/sink.ts';
import { serveStatus } from './status.ts';

export interface Collector extends AsyncDisposable {
  /** Where OTLP is taken, as it is bound. */
  readonly address: string;
  readonly sinks: readonly string[];
  status(): object;
}

/** What stopping may take: answers first, then the sends under way; the rest waits in the spool. Together below 5 s. */
const RECEIVE_GRACE_MS = 1000;
const DELIVER_GRACE_MS = 2500;

/**
 * The collector as a whole: receive, spool, deliver. Takes back everything when a part cannot be started.
 * Throws CollectorError or StateError, in words for people.
 */
export async function startCollector(config: Config, log: Logger, version: string): Promise<Collector> {
  await using stack = new AsyncDisposableStack();
  makeFolder(config.stateDir);
  const spool = stack.use(openSpool(`${config.stateDir}/spool.db`));
  if (spool.setAside) log.error({ file: spool.setAside }, 'the spool was corrupt; it is set aside, a new one is begun');
  const sinks: Sink[] = [];
  if (config.store) sinks.push(stack.use(new StoreSink({ ...config.store, log })));
  if (config.kafka) {
    // The client takes half a second to load; without Kafka nobody waits for it.
    const { KafkaSink } = await import('./sinks/kafka/sink.ts');
    sinks.push(stack.use(new KafkaSink({ ...config.kafka, log })));
  }
  const delivery = stack.adopt(new Delivery({ spool, sinks, log }), (each) => each.stop(DELIVER_GRACE_MS));

  const ledger = new Ledger();
  const receiver = await startReceiving(
    config,
    intake(spool, ledger, log, () => delivery.wake()),
    ledger,
    log,
  );
  stack.defer(() => receiver.close(RECEIVE_GRACE_MS));
  const startedAt = new Date().toISOString();
  const collector = {
    address: receiver.address,
    sinks: sinks.map(({ name }) => name),
    status: () => ({
      ...{ version, startedAt, address: receiver.address, acknowledge: config.acknowledge, pid: process.pid },
      ...{ received: ledger.sums(), spool: spool.stats(), sinks: delivery.status() },
    }),
  };
  stack.use(await serveStatus(config.statusSocket, collector.status));
  const owned = stack.move();
  return { ...collector, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startReceiving(
  config: Config,
  accept: ReturnType<typeof intake>,
  ledger: Ledger,
  log: Logger,
): Promise<Receiver> {
  const { address, maxMessageBytes, maxInFlightBytes, maxConnections } = config.otlp.grpc;
  const { host, port } = splitEndpoint(address) ?? { host: address, port: 0 };
  try {
    return await startReceiver({
      ...{ host, port, maxConnections, accept },
      token: readOrCreateToken(config.tokenFile),
      limits: { maxBytes: maxMessageBytes },
      budget: new ByteBudget(maxInFlightBytes),
      idleMs: 30_000,
      onEnd(signal, status, message) {
        if (status === 0) return;
        ledger.refusedCall(status);
        log.debug({ signal, status, message }, 'a call is refused');
      },
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw cause;
    const why = code === 'EADDRINUSE' ? 'something else listens there (another collector?)' : (cause as Error).message;
    throw new CollectorError('address-in-use', `cannot take OTLP on ${address}: ${why}. Set otlp.grpc.address`, cause);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new CollectorError('state', `cannot make the state folder ${path}: ${(cause as Error).message}`, cause);
  }
}
