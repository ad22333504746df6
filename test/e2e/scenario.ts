import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { Alert } from '../../otel/alert.ts';
import { readCase } from '../conformance/case.ts';
import { openMachine } from '../conformance/machine.ts';
import { podsOf } from '../conformance/pods.ts';
import { startProduct } from '../conformance/product.ts';
import { runCase } from '../conformance/run-case.ts';
import { openStage } from '../conformance/stage.ts';
import { follow } from '../kafka/consume.ts';

/**
 * Runs in a guest: real runc containers, BPF LSM, agent and collector, a Kafka broker on the host. Runs three conformance
 * cases and follows the topic meanwhile, so that event and arrival are read from one clock.
 *
 * Arguments: folder of the image, HOST:PORT of the broker as the guest reaches it, case files. Prints one line of JSON.
 */
export interface Report {
  release: string;
  backend: string;
  /** By case: what went wrong. */
  faults: Record<string, string[]>;
  arrivals: { alertId: string; milliseconds: number }[];
}

const [, , image = '', broker = '', ...files] = process.argv;
if (files.length === 0) {
  process.stdout.write('usage: scenario.ts IMAGE HOST:PORT CASE...\n');
  process.exit(image === '--help' ? 0 : 2);
}

/** The broker calls itself 127.0.0.1:PORT; here that has to lead to the host. */
async function forwardTo(address: string): Promise<string> {
  const [host, port] = address.split(':');
  const server = createServer((inner) => {
    const outer = connect({ host: host ?? '', port: Number(port), noDelay: true });
    inner.setNoDelay(true);
    inner.pipe(outer).pipe(inner);
    for (const socket of [inner, outer])
      socket.on('error', () => {
        inner.destroy();
        outer.destroy();
      });
  });
  server.unref();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(Number(port), '127.0.0.1', resolve);
  await promise;
  return `127.0.0.1:${port}`;
}

const brokers = await forwardTo(broker);
// The consumer is there before the first alert, so the topic has to be.
const admin = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: 'picket.alerts', numPartitions: 6 }], waitForLeaders: true });
await admin.disconnect();
const report: Report = { release: '', backend: '', faults: {}, arrivals: [] };
{
  await using machine = await openMachine({ image });
  await using product = await startProduct(join(machine.directory, 'product'), { kafka: { brokers: [brokers] } });
  const { kernel, backend } = await product.control<{ kernel: string; backend: string }>('GET', '/v1/status');
  report.release = kernel;
  report.backend = backend;
  const stop = new AbortController();
  const following = (async () => {
    for await (const { value } of follow(brokers, 'picket.alerts', stop.signal)) {
      const alert = JSON.parse(value.toString()) as Alert;
      const milliseconds = Date.now() - Date.parse(alert.UpdatedTime);
      report.arrivals.push({ alertId: alert.Picket.AlertID, milliseconds });
    }
  })();
  for (const file of files) {
    const given = readCase(file);
    await using stage = await openStage(machine, podsOf(given));
    report.faults[given.case] = await runCase(given, stage, machine, product);
  }
  await sleep(2000); // what is under way to the consumer arrives
  stop.abort();
  await following;
}
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
