import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runLocal } from '../../agent/workload/local.ts';
import type { Alert } from '../../otel/alert.ts';
import { startProduct } from '../conformance/product.ts';
import { startKafka } from '../kafka/broker.ts';
import { follow } from '../kafka/consume.ts';

const rounds = 50;
const policy = {
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name: 'no-base64', namespace: 'e2e' },
  spec: { process: { matchPaths: [{ path: '/usr/bin/base64' }] }, action: 'Block' },
};

/** On this machine's own kernel with the backend that it offers; enforcement acts on the cgroup of `runLocal` alone. */
test(`${rounds} refused programs reach a Kafka consumer, each within a second`, { timeout: 180_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'picket-e2e-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const kafka = stack.use(await startKafka());
  const product = stack.use(await startProduct(directory, { kafka: { brokers: [kafka.brokers] } }));
  await product.control('PUT', '/v1/policies', { policies: [policy] });

  const stop = new AbortController();
  const times = new Map<string, number>();
  const following = (async () => {
    while ((await kafka.describe('picket.alerts')) === undefined) await sleep(50); // the collector creates it
    for await (const { value } of follow(kafka.brokers, 'picket.alerts', stop.signal)) {
      const alert = JSON.parse(value.toString()) as Alert;
      times.set(alert.Picket.AlertID, Date.now() - Date.parse(alert.UpdatedTime));
    }
  })();
  await sleep(4000); // a consumer group takes its time to form; the measure is of alerts, not of that
  const workload = { namespace: 'e2e', pod: 'local', container: 'local', labels: {} };
  const script = `for i in $(seq ${rounds}); do base64 /dev/null; sleep 0.1; done; true`;
  await runLocal(join(directory, 'run', 'agent.sock'), workload, ['/bin/sh', '-c', script], {
    signal: stop.signal,
    stdio: 'ignore',
  });
  const limit = performance.now() + 20_000;
  while (times.size < rounds && performance.now() < limit) await sleep(50);
  stop.abort();
  await following;

  const sorted = [...times.values()].sort((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  console.log(
    `kernel event to Kafka consumer (${product.backend}), ${sorted.length} alerts: ${least} / ${median} / ${most} ms (least, median, most), load ${loadavg()[0]}`,
  );
  expect(times.size).toBe(rounds);
});
