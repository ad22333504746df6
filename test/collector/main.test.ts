import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeAlertJson } from '../../otel/alert.ts';
import { encodeLogs } from '../../otel/otlp/logs.ts';
import { decodeExportResponse } from '../../otel/otlp/response.ts';
import { eventually } from './eventually.ts';
import { get, Main } from './main.ts';
import { framed, GrpcClient, LOGS, TRACES } from './receive/client.ts';
import { alertLogs, alertTraces, field, logRecord, RESOURCE, SCOPE, sampleAlert } from './samples.ts';

let folder: string;
let config: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-collector-'));
  config = join(folder, 'collector.yaml');
  configure();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function configure(more = ''): void {
  const lines = [
    `stateDir: ${folder}/state`,
    `statusSocket: ${folder}/run/collector.sock`,
    'otlp: {grpc: {address: "127.0.0.1:0"}}',
  ];
  writeFileSync(config, [...lines, 'store: {maxAgeDays: 1000000}', more].join('\n'));
}

const collector = () => new Main(['collector', '--config', config, '--ready-fd', '3'], { readyFd: true });
const token = () => ({ authorization: `Bearer ${readFileSync(`${folder}/state/token`, 'utf8').trim()}` });
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

async function alerts(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  await using main = new Main(['alerts', '--config', config, ...args]);
  const code = await main.end();
  return { code, stdout: main.stdout, stderr: main.stderr };
}

test('collector keeps alerts in the store, where picket alerts shows them while it runs', async () => {
  await using main = collector();
  const { address, sinks, statusSocket } = await main.ready();
  expect(sinks).toEqual(['store']);
  using client = new GrpcClient(address);
  const sent = [sampleAlert(1), sampleAlert(2, { Resource: '/x\x1b[2J\u009b', Action: 'Block' })];
  expect((await client.call(LOGS, [framed(alertLogs(...sent))], token())).status).toBe(0);
  expect((await client.call(TRACES, [framed(alertTraces(...sent))], token())).status).toBe(0);
  expect(
    (
      await client.call(
        LOGS,
        [framed(encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('no alert')] }]))],
        token(),
      )
    ).status,
  ).toBe(0);

  await eventually(async () => ((await get(statusSocket, '/v1/status')).body as { spool: object }).spool).toMatchObject(
    { entries: 0, acknowledged: 3 },
  );
  const { body } = await get(statusSocket, '/v1/status');
  expect(body).toMatchObject({
    version: '0.1.0',
    address,
    acknowledge: 'spool',
    received: {
      logs: { requests: 2, receivedRecords: 3, spooledRecords: 3, rejectedRecords: 0, notSpooledRecords: 0 },
      traces: { requests: 1, receivedRecords: 2, spooledRecords: 2 },
    },
    sinks: [{ name: 'store', delivered: { alerts: 2, repeats: 0 }, acknowledgedRecords: 5 }],
  });
  expect(await get(statusSocket, '/other')).toMatchObject({ status: 404, body: { error: { code: 'path' } } });

  const json = await alerts('--json');
  expect(json).toMatchObject({ code: 0, stderr: '' });
  const lines = json.stdout.trimEnd().split('\n');
  expect(lines[0]).toBe(encodeAlertJson(sampleAlert(1)));
  expect(JSON.parse(lines[1] ?? '')).toEqual(JSON.parse(encodeAlertJson(sent[1] as never)));
  expect(lines[1]).toContain('\\u009b');
  const table = await alerts('--action', 'block');
  expect(table.stdout).toMatch(/^TIME .*\n.* Block +Syscall +\/x\\u001b\[2J\\u009b .*\n$/);

  expect(
    [
      `${folder}/state`,
      `${folder}/state/token`,
      `${folder}/state/alerts.db`,
      `${folder}/state/spool.db`,
      `${folder}/run`,
      statusSocket,
    ].map(mode),
  ).toEqual(['700', '600', '600', '600', '700', '600']);
  const started = Date.now();
  expect(await main.stop()).toBe(0);
  expect(Date.now() - started).toBeLessThan(5000);
  const log = main.stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(log[0]).toMatchObject({ msg: 'ready', address, sinks: ['store'], level: 30 });
  expect(log.at(-1)).toMatchObject({ msg: 'stopping' });
  expect((await alerts('--json')).stdout).toBe(json.stdout);
});

test('collector refuses broken OTLP, takes what is sound beside it, and lives', async () => {
  await using main = collector();
  using client = new GrpcClient((await main.ready()).address);
  expect(await client.call(LOGS, [framed(Buffer.from('GET / HTTP/1.1'))], token())).toMatchObject({
    status: 3,
    message: expect.stringMatching(/^not OTLP: /),
  });
  const broken = field(1, field(2, field(2, field(9, Buffer.from('abc')))));
  const answer = await client.call(
    LOGS,
    [framed(Buffer.concat([alertLogs(sampleAlert(1)), broken, alertLogs(sampleAlert(2))]))],
    token(),
  );
  expect(answer.status).toBe(0);
  expect(decodeExportResponse(answer.body.subarray(5))).toEqual({
    rejected: 1,
    message: expect.stringMatching(/id of 3 bytes/),
  });
  await eventually(async () => (await alerts('--json')).stdout.split('\n')).toHaveLength(3);
  expect(await main.stop('SIGINT')).toBe(0);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'collector ends cleanly on %s, said twice, also when nobody reads what it logs',
  async (signal) => {
    await using main = collector();
    const { statusSocket } = await main.ready();
    main.child.stderr?.destroy();
    main.child.kill(signal);
    expect(await main.stop(signal)).toBe(0);
    await expect(get(statusSocket, '/v1/status')).rejects.toThrow();
  },
);

test('collector killed after its answer has not lost what it answered for', async () => {
  await using main = collector();
  using client = new GrpcClient((await main.ready()).address);
  // The store is made to refuse, so that the alert is in the spool alone when the end comes.
  const { DatabaseSync } = await import('node:sqlite');
  const lock = new DatabaseSync(`${folder}/state/alerts.db`);
  lock.exec('BEGIN IMMEDIATE');
  expect((await client.call(LOGS, [framed(alertLogs(sampleAlert(1)))], token())).status).toBe(0);
  await main.stop('SIGKILL');
  lock.close();
  expect((await alerts('--json')).stdout).toBe('');

  await using again = collector();
  await again.ready();
  await eventually(async () => (await alerts('--json')).stdout).toBe(`${encodeAlertJson(sampleAlert(1))}\n`);
});

test('collector says so and leaves when another one runs, or something else has its port', async () => {
  await using main = collector();
  const { address, statusSocket } = await main.ready();
  await using second = collector();
  expect(await second.end()).toBe(1);
  expect(second.stderr).toMatch(/^picket: Cannot open the spool .* is the program running already\?\n$/);

  configure();
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('/state', '/other').replace('127.0.0.1:0', address));
  await using third = collector();
  expect(await third.end()).toBe(1);
  expect(third.stderr).toBe(
    `picket: cannot take OTLP on ${address}: something else listens there (another collector?). Set otlp.grpc.address\n`,
  );

  writeFileSync(config, text.replace('/state', '/other'));
  await using fourth = collector();
  expect(await fourth.end()).toBe(1);
  expect(fourth.stderr).toContain(`picket: another collector answers on ${statusSocket}\n`);
  expect((await get(statusSocket, '/v1/status')).status).toBe(200);
});

test('collector starts over the socket of one that was killed, and tells an IPC parent that it is ready', async () => {
  await using main = collector();
  await main.ready();
  await main.stop('SIGKILL');
  await using again = new Main(['collector', '--config', config], { ipc: true });
  const message = await new Promise((resolve) => again.child.once('message', resolve));
  expect(message).toMatchObject({
    kind: 'ready',
    sinks: ['store'],
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
  });
  again.child.disconnect(); // the parent goes away
  expect(await again.end()).toBe(0);
});

test('alerts --follow shows what comes, and ends cleanly on SIGINT', async () => {
  await using main = collector();
  using client = new GrpcClient((await main.ready()).address);
  await using following = new Main(['alerts', '--config', config, '--follow', '--json']);
  await client.call(LOGS, [framed(alertLogs(sampleAlert(1)))], token());
  await eventually(() => following.stdout).toBe(`${encodeAlertJson(sampleAlert(1))}\n`);
  const sent = Date.now();
  await client.call(LOGS, [framed(alertLogs(sampleAlert(2)))], token());
  await eventually(() => following.stdout.split('\n').length).toBe(3);
  console.log(`from OTLP to the output of alerts --follow: ${Date.now() - sent} ms`);
  expect(await following.stop('SIGINT')).toBe(0);
  expect(following.stderr).toBe('');
});

test('alerts ends cleanly when its reader has seen enough', async () => {
  await using main = collector();
  using client = new GrpcClient((await main.ready()).address);
  const { status } = await client.call(
    LOGS,
    [framed(alertLogs(...Array.from({ length: 2000 }, (_, i) => sampleAlert(i))))],
    token(),
  );
  expect(status).toBe(0);
  await eventually(() => alerts('--json', '-n', '1')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\{.*\}\n$/),
    stderr: '',
  });
  await using cut = new Main(['alerts', '--config', config, '--json', '--limit', '2000']);
  cut.child.stdout?.once('data', () => cut.child.stdout?.destroy());
  expect(await cut.end()).toBe(0);
  expect(cut.stderr).toBe('');
});

test('alerts without a store says what to do', async () => {
  const { code, stdout, stderr } = await alerts();
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^picket: there is no alert store at .*\/state\/alerts.db\.\nHas the collector run here\? Start it with: picket collector\n/,
  );
});

test.each<[string[], number, RegExp, RegExp]>([
  [['alerts', '--help'], 0, /Usage: picket alerts.*--follow.*Examples:\n {2}picket alerts/s, /^$/],
  [['collector', '--help'], 0, /Usage: picket collector.*--ready-fd.*Examples:/s, /^$/],
  [['config', '--help'], 0, /Usage: picket config/, /^$/],
  [['collector', '--print-defaults'], 0, /^# picket collector: all keys.*\nstateDir: "/s, /^$/],
  [['config', '--print-defaults'], 0, /\nacknowledge: "spool"\n/, /^$/],
  [['alerts', '--limit', 'many'], 2, /^$/, /option '-n, --limit <number>' argument 'many' is invalid.*whole number/],
  [['alerts', '--since', 'yesterday'], 2, /^$/, /^picket: --since yesterday: give a span such as 15m/],
  [['alerts', '--folow'], 2, /^$/, /unknown option '--folow'.*Did you mean --follow\?/s],
  [['alert'], 2, /^$/, /unknown command 'alert'/],
  [
    ['collector', '--config', '/nowhere.yaml'],
    1,
    /^$/,
    /^picket: cannot read the configuration \/nowhere.yaml: ENOENT/,
  ],
  [['config', 'check', '/nowhere.yaml'], 1, /^$/, /^picket: cannot read the configuration/],
])('main %j ends with %i and says why', async (args, code, stdout, stderr) => {
  await using main = new Main(args);
  expect(await main.end()).toBe(code);
  expect(main.stdout).toMatch(stdout);
  expect(main.stderr).toMatch(stderr);
});

test('config check says where a file is wrong, or that it is valid', async () => {
  await using good = new Main(['config', 'check', config]);
  expect([await good.end(), good.stdout]).toEqual([0, `${config}: valid\n`]);
  configure('kafka: {}');
  await using bad = new Main(['config', 'check', config]);
  expect([await bad.end(), bad.stderr]).toEqual([1, `picket: ${config}:5:1: kafka.brokers: is missing\n`]);
});
