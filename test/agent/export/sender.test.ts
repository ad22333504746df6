import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExportAnswer, Signal } from '../../../agent/export/client.ts';
import { Sender } from '../../../agent/export/sender.ts';
import type { Entry } from '../../../otel/spool/spool.ts';

const accepted: ExportAnswer = { kind: 'accepted', rejectedRecords: 0, message: '' };
const retry: ExportAnswer = { kind: 'retry', afterMs: undefined, reason: 'away' };

class FakeSpool {
  entries: Entry[] = [];
  readProblem: Error | undefined;
  ackProblem: Error | undefined;

  add(position: number, records = 1, parts: readonly Signal[] = ['logs', 'traces']): void {
    const bytes = { logs: Buffer.from(`logs ${position}`), traces: Buffer.from(`traces ${position}`) };
    const batch = Object.fromEntries(parts.map((part) => [part, bytes[part]]));
    this.entries.push({ position, records, class: 'audit', ...batch });
  }

  read(from: number, limit = 100): Entry[] {
    if (this.readProblem) throw this.readProblem;
    return this.entries.filter(({ position }) => position >= from).slice(0, limit);
  }

  ack(position: number): void {
    if (this.ackProblem) throw this.ackProblem;
    this.entries = this.entries.filter((entry) => entry.position !== position);
  }
}

/** A collector that gives the answers it was told, and then takes everything. */
class FakeClient {
  readonly asked: string[] = [];
  readonly times: number[] = [];
  answers: (ExportAnswer | Promise<ExportAnswer>)[] = [];
  closed = false;
  #cut = Promise.withResolvers<ExportAnswer>();

  async export(_: Signal, request: Uint8Array): Promise<ExportAnswer> {
    this.asked.push(Buffer.from(request).toString());
    this.times.push(performance.now());
    return await Promise.race([this.answers.shift() ?? accepted, this.#cut.promise]);
  }

  [Symbol.dispose](): void {
    this.closed = true;
    this.#cut.resolve(retry);
  }
}

let spool: FakeSpool;
let client: FakeClient;
let sender: Sender;
let running: Promise<void>;
let lines: { level: number; msg: string }[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.spyOn(Math, 'random').mockReturnValue(0.5); // no jitter: 0.5 + 0.5
  [spool, client, lines] = [new FakeSpool(), new FakeClient(), []];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  sender = new Sender(spool, client, log);
});
afterEach(async () => {
  sender.stop();
  await running;
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function start(): Promise<void> {
  running = sender.run();
  await vi.advanceTimersByTimeAsync(0);
}

describe('Sender', () => {
  it('sends what is in the spool, oldest first, logs before spans, and takes it out after both answers', async () => {
    spool.add(3, 2);
    spool.add(5);
    const spans = Promise.withResolvers<ExportAnswer>();
    client.answers = [accepted, spans.promise];
    await start();
    expect(client.asked).toEqual(['logs 3', 'traces 3']);
    expect([spool.entries.length, sender.stats.delivered]).toEqual([2, 0]);
    spans.resolve(accepted);
    await vi.advanceTimersByTimeAsync(0);
    expect(client.asked).toEqual(['logs 3', 'traces 3', 'logs 5', 'traces 5']);
    expect([spool.entries, sender.stats]).toEqual([[], { delivered: 3, refused: 0, retries: 0 }]);
  });

  it('goes through more than one read at a time', async () => {
    for (let position = 1; position <= 40; position++) spool.add(position);
    await start();
    expect([spool.entries.length, sender.stats.delivered]).toEqual([0, 40]);
  });

  it('sends at once when it is told that there is something new', async () => {
    await start();
    spool.add(1);
    sender.notify();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.asked).toEqual(['logs 1', 'traces 1']);
  });

  it('finds out by itself within a second when nobody tells', async () => {
    await start();
    spool.add(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(client.asked).toHaveLength(2);
  });

  it('tries again with growing pauses, up to five seconds, and says so once', async () => {
    spool.add(1);
    client.answers = Array<ExportAnswer>(10).fill(retry);
    await start();
    await vi.advanceTimersByTimeAsync(60_000);
    const pauses = client.times.slice(1, 11).map((time, i) => Math.round(time - (client.times[i] ?? 0)));
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
    expect(sender.stats).toEqual({ delivered: 1, refused: 0, retries: 10 });
    expect(lines.map((line) => line.msg)).toEqual([
      'the collector does not take alerts: they wait in the spool',
      'the collector answers again',
    ]);
  });

  it('is not hurried by notify() while the collector is away', async () => {
    spool.add(1);
    client.answers = [retry, retry];
    await start();
    for (let i = 0; i < 5; i++) sender.notify();
    await vi.advanceTimersByTimeAsync(50);
    expect(client.asked).toHaveLength(1);
  });

  it('comes again when the collector wants it to, never at once', async () => {
    spool.add(1);
    client.answers = [
      { ...retry, afterMs: 7000 },
      { ...retry, afterMs: 0 },
    ];
    await start();
    await vi.advanceTimersByTimeAsync(6999);
    expect(client.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(client.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(99);
    expect(client.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(client.asked).toHaveLength(4);
  });

  it('sends both again, and counts once, when the spans alone were not taken', async () => {
    spool.add(1, 5);
    client.answers = [accepted, retry];
    await start();
    await vi.advanceTimersByTimeAsync(100);
    expect(client.asked).toEqual(['logs 1', 'traces 1', 'logs 1', 'traces 1']);
    expect(sender.stats).toEqual({ delivered: 5, refused: 0, retries: 1 });
  });

  it('counts what the collector refuses as lost, and goes on', async () => {
    spool.add(1, 5);
    spool.add(2, 3);
    client.answers = [
      { kind: 'refused', reason: 'not OTLP' },
      accepted,
      { kind: 'accepted', rejectedRecords: 2, message: 'bad id' },
    ];
    await start();
    expect([sender.stats, spool.entries]).toEqual([{ delivered: 1, refused: 7, retries: 0 }, []]);
    expect(lines).toMatchObject([
      { level: 50, alerts: 5, reason: 'not OTLP' },
      { level: 50, alerts: 2, reason: 'bad id' },
    ]);
  });

  it('never counts more rejected records than there were', async () => {
    spool.add(1, 5);
    client.answers = [{ kind: 'accepted', rejectedRecords: 9, message: '' }];
    await start();
    expect(sender.stats).toEqual({ delivered: 0, refused: 5, retries: 0 });
  });

  it('sends an entry without spans, or without logs', async () => {
    spool.add(1, 1, ['logs']);
    spool.add(2, 0, ['traces']);
    await start();
    expect([client.asked, spool.entries]).toEqual([['logs 1', 'traces 2'], []]);
  });

  it('lives through a spool that cannot be read, and goes on when it can', async () => {
    spool.readProblem = new Error('disk I/O error');
    await start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lines[0]).toMatchObject({ level: 50, msg: 'the spool cannot be read: alerts wait in it' });
    spool.readProblem = undefined;
    spool.add(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect([client.asked.length, spool.entries]).toEqual([2, []]);
  });

  it('does not send an entry again that the disk did not let it take out', async () => {
    spool.add(1, 4);
    spool.ackProblem = new Error('disk full');
    await start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect([client.asked, sender.stats.delivered]).toEqual([['logs 1', 'traces 1'], 4]);
    spool.ackProblem = undefined;
    spool.add(2);
    await vi.advanceTimersByTimeAsync(5000);
    expect(client.asked).toEqual(['logs 1', 'traces 1', 'logs 2', 'traces 2']);
  });

  it('stop() ends it while it waits', async () => {
    spool.add(1);
    client.answers = [{ ...retry, afterMs: 60_000 }];
    await start();
    sender.stop();
    await running;
    expect([client.asked.length, spool.entries.length, client.closed]).toEqual([1, 1, true]);
  });

  it('stop() ends it while the collector owes an answer, and leaves the entry in the spool', async () => {
    spool.add(1);
    client.answers = [new Promise(() => {})];
    await start();
    sender.stop();
    await running;
    expect([spool.entries.length, sender.stats.retries, lines]).toEqual([1, 0, []]);
  });
});
