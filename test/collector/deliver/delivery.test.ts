import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Delivery } from '../../../collector/deliver/delivery.ts';
import type { Sink, SinkResult } from '../../../collector/sinks/sink.ts';
import { type Batch, openSpool, type Spool } from '../../../otel/spool/spool.ts';
import { eventually } from '../eventually.ts';

/** A sink that does as told: answers come from `answer`, what it took is in `taken`. */
class FakeSink implements Sink {
  taken = '';
  readonly sends: string[] = [];
  answer: (text: string) => SinkResult | Promise<SinkResult> = () => ({ kind: 'acknowledged' });
  readonly name: string;

  constructor(name = 'fake') {
    this.name = name;
  }

  async send(batch: Batch): Promise<SinkResult> {
    const text = Buffer.concat([batch.logs ?? Buffer.alloc(0), batch.traces ?? Buffer.alloc(0)]).toString();
    this.sends.push(text);
    const result = await this.answer(text);
    if (result.kind === 'acknowledged') this.taken += text;
    return result;
  }

  stats() {
    return { delivered: {}, dropped: {} };
  }

  async [Symbol.asyncDispose]() {}
}

const log = pino({ level: 'silent' });
const AWAY: SinkResult = { kind: 'retry', afterMs: 10, reason: 'away' };
let folder: string;
let spool: Spool;
let delivery: Delivery | undefined;
let waits: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-deliver-'));
  spool = openSpool(join(folder, 'spool.db'));
  waits = [];
});
afterEach(async () => {
  await delivery?.stop(1000);
  spool[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function start(...sinks: Sink[]): Delivery {
  // Time is not waited for: a pause is noted and is over.
  const wait = async (ms: number) => {
    waits.push(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  delivery = new Delivery({ spool, sinks, log, wait });
  return delivery;
}

async function append(...texts: string[]): Promise<void> {
  await Promise.all(texts.map((text) => spool.append({ logs: Buffer.from(text), records: 1 }, 'audit')));
  delivery?.wake();
}

const empty = () => eventually(() => spool.stats().entries).toBe(0);

test('Delivery delivers what is in the spool already and what comes, in order, and then takes it out', async () => {
  await append('a', 'b');
  const sink = new FakeSink();
  start(sink);
  await empty();
  await append('c');
  await append('d');
  await empty();
  expect(sink.taken).toBe('abcd');
  expect(sink.sends[0]).toBe('ab');
  expect(delivery?.status()).toMatchObject([
    { name: 'fake', acknowledgedRecords: 4, refusedRecords: 0, retries: 0, waitingFor: undefined },
  ]);
});

test('Delivery keeps what a sink that is away does not take, sends the same again, and waits longer each time', async () => {
  const sink = new FakeSink();
  let tries = 0;
  sink.answer = () => {
    tries++;
    return AWAY;
  };
  start(sink);
  await append('a');
  await eventually(() => delivery?.status()[0]?.waitingFor).toBe('away');
  await append('b');
  sink.answer = () => (++tries < 12 ? AWAY : { kind: 'acknowledged' });
  await empty();
  expect(sink.taken).toBe('ab');
  expect(new Set(sink.sends.slice(0, -1))).toEqual(new Set(['a']));
  expect(delivery?.status()[0]).toMatchObject({ waitingFor: undefined, retries: waits.length });
  expect(waits.length).toBeGreaterThan(8);
  for (const [i, ms] of waits.entries()) {
    const expected = Math.min(5000, 100 * 2 ** i);
    expect(ms).toBeGreaterThanOrEqual(0.8 * expected);
    expect(ms).toBeLessThanOrEqual(1.2 * expected);
  }
});

test('Delivery takes a sink that throws for one that is away', async () => {
  const sink = new FakeSink();
  sink.answer = () => {
    sink.answer = () => ({ kind: 'acknowledged' });
    throw new Error('defect');
  };
  start(sink);
  await append('a');
  await empty();
  expect(sink.taken).toBe('a');
});

test('Delivery leaves out only what is refused', async () => {
  const sink = new FakeSink();
  sink.answer = (text) => (text.includes('x') ? { kind: 'refused', reason: 'is x' } : { kind: 'acknowledged' });
  await append('a', 'x', 'b');
  start(sink);
  await empty();
  expect(sink.taken).toBe('ab');
  expect(delivery?.status()[0]).toMatchObject({ acknowledgedRecords: 2, refusedRecords: 1 });
});

test('Delivery lets no sink hold up another; an entry goes when the last one is done with it', async () => {
  const [quick, slow] = [new FakeSink('quick'), new FakeSink('slow')];
  let away = true;
  slow.answer = () => (away ? AWAY : { kind: 'acknowledged' });
  start(quick, slow);
  await append('a');
  await append('b');
  await eventually(() => quick.taken).toBe('ab');
  expect(spool.stats().entries).toBe(2);
  away = false;
  await empty();
  expect(slow.taken).toBe('ab');
  expect(quick.taken).toBe('ab');
});

test('Delivery.stop() leaves what is not delivered for the next start, also when a sink hangs', async () => {
  const hanging = new FakeSink();
  hanging.answer = () => new Promise(() => {});
  start(hanging);
  await append('a');
  await eventually(() => hanging.sends.length).toBe(1);
  await append('b');
  await delivery?.stop(20);
  spool[Symbol.dispose]();

  spool = openSpool(join(folder, 'spool.db'));
  const sink = new FakeSink();
  start(sink);
  await empty();
  expect(sink.taken).toBe('ab');
});

test('Delivery puts small entries together, and bounds what it puts together', async () => {
  const half = 'x'.repeat(600_000);
  await append(...'abcdefgh', half, half, half);
  const sink = new FakeSink();
  start(sink);
  await empty();
  expect(sink.sends.map((text) => text.length)).toEqual([8 + 1_200_000, 600_000]);
});

test('Delivery keeps logs and spans of an entry together', async () => {
  await spool.append({ logs: Buffer.from('l'), traces: Buffer.from('t'), records: 1 }, 'block');
  await spool.append({ traces: Buffer.from('u'), records: 1 }, 'telemetry');
  const batches: Batch[] = [];
  const sink = new FakeSink();
  const send = sink.send.bind(sink);
  sink.send = (batch) => {
    batches.push(batch);
    return send(batch);
  };
  start(sink);
  await empty();
  expect(batches.map(({ logs, traces, records }) => [String(logs), String(traces), records])).toEqual([['l', 'tu', 2]]);
});

test('Delivery goes on when the spool refuses an acknowledgement, and makes up for it', async () => {
  const sink = new FakeSink();
  const ack = spool.ack.bind(spool);
  let full = true;
  spool.ack = (position) => {
    if (full) throw new Error('disk full');
    ack(position);
  };
  start(sink);
  await append('a');
  await append('b');
  await eventually(() => sink.taken).toBe('ab');
  expect(spool.stats().entries).toBe(2);
  full = false;
  await append('c');
  await empty();
  expect(sink.taken).toBe('abc');
});
