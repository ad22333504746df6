import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ByteBudget } from '../../../collector/receive/budget.ts';
import type { Signal } from '../../../collector/receive/call.ts';
import { CallError, code, overloaded } from '../../../collector/receive/grpc-status.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from '../../../collector/receive/receiver.ts';
import { eventually } from '../eventually.ts';
import { framed, GrpcClient, LOGS, METRICS, TRACES } from './client.ts';

const TOKEN = 'f'.repeat(64);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const RESPONSE = Buffer.from('answer');

let open: (AsyncDisposable | Disposable)[] = [];
let accepted: [Signal, string][] = [];
let answer: () => Promise<Uint8Array>;

beforeEach(() => {
  open = [];
  accepted = [];
  answer = async () => RESPONSE;
});
afterEach(async () => {
  for (const each of open.reverse())
    if (Symbol.asyncDispose in each) await each[Symbol.asyncDispose]();
    else each[Symbol.dispose]();
});

async function start(
  options: Partial<ReceiverOptions> = {},
): Promise<{ receiver: Receiver; client: GrpcClient; budget: ByteBudget }> {
  const budget = options.budget ?? new ByteBudget(1 << 20);
  const receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    maxConnections: 4,
    token: TOKEN,
    limits: { maxBytes: 100_000 },
    idleMs: 10_000,
    accept: (signal, request) => {
      accepted.push([signal, request.toString()]);
      return answer();
    },
    ...options,
    budget,
  });
  const client = new GrpcClient(receiver.address);
  open.push(receiver, client);
  return { receiver, client, budget };
}

test('startReceiver() takes logs and traces, plain and gzip, and answers with body and trailers', async () => {
  const { client, budget } = await start();
  const plain = await client.call(LOGS, [framed(Buffer.from('l'))], AUTH);
  const zipped = await client.call(TRACES, [framed(gzipSync('t'), 1)], { ...AUTH, 'grpc-encoding': 'gzip' });
  for (const each of [plain, zipped]) {
    expect(each).toMatchObject({ http: 200, status: code.ok, trailersOnly: false, reset: 0 });
    expect(each.fields['content-type']).toBe('application/grpc+proto');
    expect(each.body).toEqual(framed(RESPONSE));
  }
  expect(accepted).toEqual([
    ['logs', 'l'],
    ['traces', 't'],
  ]);
  expect(budget.used).toBe(0);
});

test('readMessage() puts a message together from frames of any size', async () => {
  const { client } = await start();
  const message = 'x'.repeat(3000);
  const bytes = framed(Buffer.from(message));
  const pieces = [...bytes.subarray(0, 7)].map((byte) => Buffer.from([byte]));
  const { status } = await client.call(LOGS, [...pieces, bytes.subarray(7, 2000), bytes.subarray(2000)], AUTH);
  expect(status).toBe(code.ok);
  expect(accepted).toEqual([['logs', message]]);
});

test.each<[string, string, Record<string, string>, Uint8Array[], number, RegExp]>([
  ['no token', LOGS, {}, [framed(RESPONSE)], code.unauthenticated, /authorization/],
  [
    'a wrong token',
    LOGS,
    { authorization: `Bearer ${'e'.repeat(64)}` },
    [framed(RESPONSE)],
    code.unauthenticated,
    /wrong/,
  ],
  ['a wrong token with a bomb', LOGS, { 'grpc-encoding': 'gzip' }, [framed(bomb(), 1)], code.unauthenticated, /wrong/],
  ['metrics', METRICS, AUTH, [framed(RESPONSE)], code.unimplemented, /metrics/],
  ['an unknown method', '/x.Y/Z', AUTH, [framed(RESPONSE)], code.unimplemented, /no such method: \/x\.Y\/Z/],
  ['an unknown encoding', LOGS, { ...AUTH, 'grpc-encoding': 'br' }, [framed(RESPONSE, 1)], code.unimplemented, /br/],
  ['no message', LOGS, AUTH, [], code.invalidArgument, /no message/],
  ['half a prefix', LOGS, AUTH, [Buffer.from([0, 0])], code.invalidArgument, /cut short/],
  ['half a message', LOGS, AUTH, [framed(RESPONSE).subarray(0, 8)], code.invalidArgument, /cut short/],
  ['two messages', LOGS, AUTH, [framed(RESPONSE), framed(RESPONSE)], code.invalidArgument, /more than one/],
  ['a flag of 7', LOGS, AUTH, [framed(RESPONSE, 7)], code.invalidArgument, /flag is 7/],
  [
    'a compressed flag without encoding',
    LOGS,
    AUTH,
    [framed(gzipSync('x'), 1)],
    code.invalidArgument,
    /does not say how/,
  ],
  [
    'gzip that is none',
    LOGS,
    { ...AUTH, 'grpc-encoding': 'gzip' },
    [framed(RESPONSE, 1)],
    code.invalidArgument,
    /not gzip/,
  ],
  [
    'gzip cut short',
    LOGS,
    { ...AUTH, 'grpc-encoding': 'gzip' },
    [framed(gzipSync('x').subarray(0, 15), 1)],
    code.invalidArgument,
    /not gzip/,
  ],
  [
    'a bomb',
    LOGS,
    { ...AUTH, 'grpc-encoding': 'gzip' },
    [framed(bomb(), 1)],
    code.resourceExhausted,
    /unpacks to more than 100000/,
  ],
  [
    'a length beyond the limit',
    LOGS,
    AUTH,
    [Buffer.from([0, 0xff, 0xff, 0xff, 0xff])],
    code.resourceExhausted,
    /4294967295/,
  ],
])(
  'serveCall() refuses %s and serves the next call on the same connection',
  async (_, path, headers, pieces, status, text) => {
    const { client, budget } = await start();
    const refused = await client.call(path, pieces, headers);
    expect(refused).toMatchObject({ http: 200, status, trailersOnly: true });
    expect(refused.message).toMatch(text);
    expect(accepted).toEqual([]);
    expect((await client.call(LOGS, [framed(RESPONSE)], AUTH)).status).toBe(code.ok);
    expect(budget.used).toBe(0);
  },
);

function bomb(): Buffer {
  return gzipSync(Buffer.alloc(5_000_000));
}

test('serveCall() tells what is no gRPC by the HTTP status alone', async () => {
  const { client } = await start();
  expect(await client.call(LOGS, [framed(RESPONSE)], { ...AUTH, 'content-type': 'application/json' })).toMatchObject({
    http: 415,
    status: Number.NaN,
  });
  expect(await client.call(LOGS, [framed(RESPONSE)], { ...AUTH, 'content-type': 'application/grpcx' })).toMatchObject({
    http: 415,
  });
  expect(await client.call(LOGS, [], { ...AUTH, ':method': 'GET' })).toMatchObject({ http: 405 });
  expect(
    await client.call(LOGS, [framed(RESPONSE)], { ...AUTH, 'content-type': 'application/grpc+proto;x=y' }),
  ).toMatchObject({ status: 0 });
});

test('serveCall() answers a caller that never ends its request', async () => {
  const { client } = await start();
  const open = { end: false };
  expect(await client.call(LOGS, [framed(RESPONSE)], {}, open)).toMatchObject({
    status: code.unauthenticated,
    reset: 0,
  });
  expect(await client.call(LOGS, [framed(RESPONSE)], { ...AUTH, 'grpc-timeout': '50m' }, open)).toMatchObject({
    status: code.deadlineExceeded,
  });
  expect((await client.call(LOGS, [framed(RESPONSE)], AUTH)).status).toBe(code.ok);
});

test('serveCall() ends a call that falls silent', async () => {
  const { client } = await start({ idleMs: 50 });
  const { status, message } = await client.call(LOGS, [Buffer.from([0, 0])], AUTH, { end: false });
  expect([status, message]).toEqual([code.deadlineExceeded, 'nothing came for 50 ms']);
});

test('serveCall() keeps to grpc-timeout while the request is being made safe', async () => {
  const { client } = await start();
  answer = () => new Promise(() => {});
  expect((await client.call(LOGS, [framed(RESPONSE)], { ...AUTH, 'grpc-timeout': '30000u' })).status).toBe(
    code.deadlineExceeded,
  );
});

test('serveCall() says when to come again, in a status that protobuf reads', async () => {
  const { client } = await start();
  answer = async () => {
    throw overloaded('disk: 100 % full, ünable');
  };
  const { status, message, fields } = await client.call(LOGS, [framed(RESPONSE)], AUTH);
  expect([status, message]).toEqual([code.unavailable, 'disk: 100 % full, ünable']);
  expect(fields['grpc-message']).toBe('disk: 100 %25 full, %C3%BCnable');
  const { default: protobuf } = await import('protobufjs');
  const { root } = protobuf.parse(`syntax = "proto3";
    message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
    message Any { string type_url = 1; bytes value = 2; }
    message RetryInfo { Duration retry_delay = 1; }
    message Duration { int64 seconds = 1; int32 nanos = 2; }`);
  const decode = (type: string, bytes: Uint8Array) =>
    root.lookupType(type).toObject(root.lookupType(type).decode(bytes), { longs: Number, bytes: Buffer });
  const details = decode('Status', Buffer.from(fields['grpc-status-details-bin'] ?? '', 'base64'));
  expect(details).toMatchObject({
    code: 14,
    message: 'disk: 100 % full, ünable',
    details: [{ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo' }],
  });
  expect(decode('RetryInfo', details.details[0].value)).toEqual({ retryDelay: { seconds: 1, nanos: 0 } });
});

test('serveCall() turns an unforeseen error into INTERNAL without its text', async () => {
  const ends: unknown[] = [];
  const { client } = await start({ onEnd: (...end) => ends.push(end) });
  answer = async () => {
    throw new Error('secret path');
  };
  expect(await client.call(LOGS, [framed(RESPONSE)], AUTH)).toMatchObject({
    status: code.internal,
    message: 'internal error',
  });
  answer = async () => {
    throw new CallError(code.invalidArgument, 'broken');
  };
  expect(await client.call(LOGS, [framed(RESPONSE)], AUTH)).toMatchObject({
    status: code.invalidArgument,
    message: 'broken',
  });
  expect(ends).toEqual([
    ['logs', code.internal, 'secret path'],
    ['logs', code.invalidArgument, 'broken'],
  ]);
});

test('ByteBudget bounds what all calls hold together: one too many is sent away and may come again', async () => {
  const { client, budget } = await start({ budget: new ByteBudget(3000) });
  const gate = Promise.withResolvers<Uint8Array>();
  answer = () => gate.promise;
  const first = client.call(LOGS, [framed(Buffer.alloc(2000, 'a'))], AUTH);
  await eventually(() => accepted.length).toBe(1);
  const second = await client.call(LOGS, [framed(Buffer.alloc(2000, 'b'))], AUTH);
  expect(second).toMatchObject({ status: code.unavailable, message: 'too many bytes in flight' });
  expect(second.fields['grpc-status-details-bin']).toBeTruthy();
  gate.resolve(RESPONSE);
  expect((await first).status).toBe(code.ok);
  expect(budget.used).toBe(0);
});

test('startReceiver() lives through HTTP/1, noise, and callers that vanish in the middle', async () => {
  const { receiver, client, budget } = await start({ maxConnections: 3 });
  const [host, port] = receiver.address.split(':');
  for (const noise of [
    'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
    '\0'.repeat(64),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff',
  ]) {
    const socket = connectTcp(Number(port), host);
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.end(noise, 'latin1');
    await once(socket, 'close');
  }
  using vanishing = new GrpcClient(receiver.address);
  const cut = vanishing.call(LOGS, [framed(Buffer.alloc(50_000)).subarray(0, 20_000)], AUTH, { end: false });
  await eventually(() => budget.used).toBeGreaterThan(0);
  vanishing.session.destroy();
  await cut;
  await eventually(() => budget.used).toBe(0);
  expect((await client.call(LOGS, [framed(RESPONSE)], AUTH)).status).toBe(code.ok);
});

test('startReceiver() closes a connection beyond the last one allowed', async () => {
  const { receiver, client } = await start({ maxConnections: 1 });
  expect((await client.call(LOGS, [framed(RESPONSE)], AUTH)).status).toBe(code.ok);
  using beyond = new GrpcClient(receiver.address);
  await once(beyond.session, 'close');
  expect((await client.call(LOGS, [framed(RESPONSE)], AUTH)).status).toBe(code.ok);
});

test('Receiver.close() lets a call in progress end and refuses new connections', async () => {
  const { receiver, client } = await start();
  const gate = Promise.withResolvers<Uint8Array>();
  answer = () => gate.promise;
  const last = client.call(LOGS, [framed(RESPONSE)], AUTH);
  await eventually(() => accepted.length).toBe(1);
  const closed = receiver.close(5000);
  gate.resolve(RESPONSE);
  expect((await last).status).toBe(code.ok);
  await closed;
  using late = new GrpcClient(receiver.address);
  await new Promise((resolve) => late.session.once('close', resolve));
});
