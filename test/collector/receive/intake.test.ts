import pino from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { Ledger } from '../../../collector/ledger.ts';
import { intake } from '../../../collector/receive/intake.ts';
import { StateError } from '../../../otel/errors.ts';
import { encodeLogs } from '../../../otel/otlp/logs.ts';
import type { Batch, Spool, SpoolClass } from '../../../otel/spool/spool.ts';
import { alertLogs, alertTraces, logRecord, RESOURCE, SCOPE, sampleAlert } from '../samples.ts';

let appended: [Batch, SpoolClass][];
let append: () => Promise<number>;
let ledger: Ledger;
let wakes: number;
let accept: ReturnType<typeof intake>;

beforeEach(() => {
  appended = [];
  append = async () => 1;
  ledger = new Ledger();
  wakes = 0;
  const spool: Pick<Spool, 'append'> = {
    append(batch, cls) {
      appended.push([batch, cls]);
      return append();
    },
  };
  accept = intake(spool as Spool, ledger, pino({ level: 'silent' }), () => wakes++);
});

const logs = Buffer.from(alertLogs(sampleAlert(1)));

test('intake() puts a request into the spool by what losing it would cost', async () => {
  const block = Buffer.from(
    alertLogs(sampleAlert(1), sampleAlert(2, { Action: 'Block', Result: 'Permission denied' })),
  );
  const audited = Buffer.from(alertLogs(sampleAlert(1, { Action: 'Audit (Block)' })));
  const traces = Buffer.from(alertTraces(sampleAlert(1, { Action: 'Block' })));
  expect(await accept('logs', block)).toHaveLength(0);
  await accept('logs', logs);
  await accept('logs', audited);
  await accept('traces', traces);
  expect(appended).toEqual([
    [{ logs: block, records: 2 }, 'block'],
    [{ logs, records: 1 }, 'audit'],
    [{ logs: audited, records: 1 }, 'audit'],
    [{ traces, records: 1 }, 'telemetry'],
  ]);
  expect(wakes).toBe(4);
});

test('intake() answers only when the spool has it, and wakes delivery then', async () => {
  const gate = Promise.withResolvers<number>();
  append = () => gate.promise;
  let answered = false;
  const answer = accept('logs', logs).then(() => {
    answered = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([appended.length, answered, wakes]).toEqual([1, false, 0]);
  gate.resolve(1);
  await answer;
  expect(wakes).toBe(1);
});

test('intake() tells the sender to come again when the disk is full, and counts', async () => {
  append = async () => {
    throw new StateError('disk-full', 'Make room.');
  };
  await expect(accept('logs', logs)).rejects.toMatchObject({ status: 14, retryAfterMs: 1000 });
  expect(ledger.sums().logs).toMatchObject({ receivedRecords: 1, spooledRecords: 0, notSpooledRecords: 1 });
  expect(wakes).toBe(0);
});

test('intake() refuses what is no OTLP, and does not spool what is empty', async () => {
  await expect(accept('logs', Buffer.from('no'))).rejects.toMatchObject({
    status: 3,
    message: expect.stringMatching(/^not OTLP/),
  });
  expect(await accept('logs', Buffer.alloc(0))).toHaveLength(0);
  const empty = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [] }]);
  expect(await accept('logs', Buffer.from(empty))).toHaveLength(0);
  expect(appended).toEqual([]);
});

test('Ledger: received = spooled + rejected + not spooled', async () => {
  const broken = Buffer.from([0x0a, 9, 0x12, 7, 0x12, 5, 0x4a, 3, 1, 2, 3]); // a trace id of three bytes
  const plain = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('a'), logRecord('b')] }]);
  await accept('logs', Buffer.concat([plain, broken]));
  append = () => Promise.reject(new StateError('spool-failed', 'x'));
  await expect(accept('logs', logs)).rejects.toThrow();
  expect(ledger.sums().logs).toMatchObject({
    receivedRecords: 4,
    spooledRecords: 2,
    rejectedRecords: 1,
    notSpooledRecords: 1,
  });
});
