import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Exporter } from '../../../agent/export/exporter.ts';
import { fromRecord } from '../../../otel/mapping/mapping.ts';
import { decodeLogs } from '../../../otel/otlp/logs.ts';
import { decodeTraces } from '../../../otel/otlp/traces.ts';
import type { Batch, SpoolClass } from '../../../otel/spool/spool.ts';
import { emissionOf } from './emissions.ts';

/** A spool that keeps what it is given in memory, or refuses it. */
class FakeSpool {
  readonly batches: (Batch & { class: SpoolClass })[] = [];
  problem: Error | undefined;
  gate: Promise<void> = Promise.resolve();

  async append(batch: Batch, cls: SpoolClass): Promise<number> {
    if (this.problem) throw this.problem;
    const position = this.batches.push({ ...batch, class: cls });
    await this.gate;
    return position;
  }
}

let spool: FakeSpool;
let appended: number;
let failures: [alerts: number, error: unknown][];
let exporter: Exporter;

beforeEach(() => {
  vi.useFakeTimers();
  [spool, appended, failures] = [new FakeSpool(), 0, []];
  exporter = new Exporter(
    spool,
    () => appended++,
    (alerts, error) => failures.push([alerts, error]),
  );
});
afterEach(() => vi.useRealTimers());

/** Numbers of the alerts in a batch, by container. */
function numbersOf({ logs }: Batch): Record<string, number[]> {
  const numbers: Record<string, number[]> = {};
  for (const { resource, scopes } of decodeLogs(logs ?? new Uint8Array(0)))
    for (const { scope, records } of scopes)
      for (const record of records) {
        const { ContainerID = '', Picket } = fromRecord(record, resource, scope);
        numbers[ContainerID] = [...(numbers[ContainerID] ?? []), Picket.Seq];
      }
  return numbers;
}

describe('Exporter', () => {
  it('waits a moment and appends what came meanwhile as one batch', async () => {
    exporter.add(emissionOf(1));
    await vi.advanceTimersByTimeAsync(19);
    exporter.add(emissionOf(2));
    expect([spool.batches.length, exporter.pending]).toEqual([0, 2]);
    await vi.advanceTimersByTimeAsync(1);
    expect(spool.batches).toMatchObject([{ records: 2, class: 'audit' }]);
    expect([appended, exporter.pending]).toEqual([1, 0]);
  });

  it('settled() resolves once all that was added is on the disk, and does not hurry it', async () => {
    await exporter.settled();
    exporter.add(emissionOf(1));
    let settled = false;
    const waiting = exporter.settled().then(() => {
      settled = true;
    });
    await vi.advanceTimersByTimeAsync(19);
    expect([settled, spool.batches.length]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    expect([settled, exporter.pending]).toEqual([true, 0]);
  });

  it('does not wait when there are 512, and keeps every one', async () => {
    for (let seq = 1; seq <= 1025; seq++) exporter.add(emissionOf(seq, { ContainerID: 'c' }));
    expect(await exporter.flush()).toBe(3);
    expect(spool.batches.map((batch) => batch.records)).toEqual([512, 512, 1]);
    expect(spool.batches.flatMap((batch) => numbersOf(batch).c)).toEqual(Array.from({ length: 1025 }, (_, i) => i + 1));
  });

  it('groups by workload and keeps the order within each', async () => {
    for (let seq = 1; seq <= 9; seq++) exporter.add(emissionOf(seq, { ContainerID: `c${seq % 3}` }));
    await exporter.flush();
    expect(numbersOf(spool.batches[0] as Batch)).toEqual({ c0: [3, 6, 9], c1: [1, 4, 7], c2: [2, 5, 8] });
  });

  it('keeps the enforcers of one workload apart: they are different scopes', async () => {
    exporter.add(emissionOf(1, { Enforcer: 'BPFLSM' }));
    exporter.add(emissionOf(2, { Enforcer: 'eBPF Monitor' }));
    await exporter.flush();
    const groups = decodeLogs(spool.batches[0]?.logs ?? new Uint8Array(0));
    expect(groups.flatMap(({ scopes }) => scopes.map(({ records }) => records.length))).toEqual([1, 1]);
  });

  it('puts the span of each alert beside those of its processes', async () => {
    exporter.add(emissionOf(1));
    await exporter.flush();
    const spans = decodeTraces(spool.batches[0]?.traces ?? new Uint8Array(0)).flatMap(({ scopes }) =>
      scopes.flatMap(({ records }) => records),
    );
    expect(spans.map(({ spanId, parentSpanId }) => [spanId, parentSpanId])).toEqual([
      ['fe53e2bce12ff43b', ''],
      ['810fefb32af86fb2', 'fe53e2bce12ff43b'],
    ]);
  });

  it('marks a batch that holds a refusal', async () => {
    exporter.add(emissionOf(1));
    exporter.add(emissionOf(2, { Action: 'Block', Result: 'Permission denied' }));
    await exporter.flush();
    expect(spool.batches[0]?.class).toBe('block');
  });

  it('makes several requests of what would be more than 4 MB, in order', async () => {
    const Message = 'm'.repeat(100_000);
    for (let seq = 1; seq <= 40; seq++) exporter.add(emissionOf(seq, { ContainerID: 'c', Message }));
    expect(await exporter.flush()).toBe(spool.batches.length);
    for (const { logs, traces } of spool.batches)
      expect(Math.max(logs?.length ?? 0, traces?.length ?? 0)).toBeLessThan(4_194_304);
    expect(spool.batches.length).toBeGreaterThan(1);
    expect(spool.batches.flatMap((batch) => numbersOf(batch).c)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('reports what the spool does not take as failed, and goes on', async () => {
    spool.problem = new Error('disk full');
    exporter.add(emissionOf(1));
    exporter.add(emissionOf(2));
    await exporter.flush();
    expect([failures, appended, exporter.pending]).toEqual([[[2, spool.problem]], 0, 0]);
    spool.problem = undefined;
    exporter.add(emissionOf(3));
    expect(await exporter.flush()).toBe(1);
    expect(appended).toBe(1);
  });

  it('reports what cannot be encoded as failed instead of ending the agent', async () => {
    exporter.add(emissionOf(1, { UpdatedTime: 5 as never, Timestamp: 0.5 })); // no alert should be so; one day one will
    await vi.advanceTimersByTimeAsync(20);
    expect(failures).toMatchObject([[1, expect.any(Error)]]);
    exporter.add(emissionOf(2));
    await exporter.flush();
    expect(spool.batches).toHaveLength(1);
  });

  it('flush() waits for what is being written, and pending counts it', async () => {
    const gate = Promise.withResolvers<void>();
    spool.gate = gate.promise;
    exporter.add(emissionOf(1));
    await vi.advanceTimersByTimeAsync(20);
    let done = false;
    const flushed = exporter.flush().then(() => {
      done = true;
    });
    await vi.advanceTimersByTimeAsync(100);
    expect([done, exporter.pending]).toEqual([false, 1]);
    gate.resolve();
    await flushed;
    expect(exporter.pending).toBe(0);
  });
});
