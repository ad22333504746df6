import { once } from 'node:events';
import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OtlpClient } from '../../../agent/export/client.ts';
import { encodeExportResponse } from '../../../otel/otlp/response.ts';
import { answer, type Call, FakeCollector, trailersOnly } from './server.ts';

let collector: FakeCollector;
let client: OtlpClient;
let port: number;
let token: string;

beforeEach(async () => {
  collector = new FakeCollector();
  port = await collector.listen();
  token = 'first';
  client = clientWith(5000);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await collector[Symbol.asyncDispose]();
});

const clientWith = (timeoutMs: number) =>
  new OtlpClient({ endpoint: `http://127.0.0.1:${port}`, token: () => token, timeoutMs });
const request = Buffer.from('an export request');
const send = () => client.export('logs', request);
const ok = { kind: 'accepted', rejectedRecords: 0, message: '' };

describe('OtlpClient.export()', () => {
  it('sends one gRPC message with token and deadline, and takes status 0 for an answer', async () => {
    expect(await send()).toEqual(ok);
    expect(await client.export('traces', new Uint8Array(0))).toEqual(ok);
    const [logs, traces] = collector.calls;
    expect(logs?.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '5000m',
      authorization: 'Bearer first',
    });
    expect(logs?.body).toEqual(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]));
    expect(traces?.headers[':path']).toBe('/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    expect([client.connections, collector.sessions.length]).toEqual([1, 1]);
  });

  it('sends a request of megabytes whole', async () => {
    const large = Buffer.alloc(5_000_000, 'x');
    expect(await client.export('logs', large)).toEqual(ok);
    expect(collector.calls[0]?.body.subarray(5).equals(large)).toBe(true);
  });

  it('tells how many records of a partial success were rejected', async () => {
    collector.respond = (call) => answer(call, '0', '', encodeExportResponse({ rejected: 3, message: 'broken id' }));
    expect(await send()).toEqual({ kind: 'accepted', rejectedRecords: 3, message: 'broken id' });
  });

  it.each([
    [14, 'retry'],
    [1, 'retry'],
    [4, 'retry'],
    [10, 'retry'],
    [11, 'retry'],
    [15, 'retry'],
    [16, 'retry'],
    [2, 'refused'],
    [3, 'refused'],
    [7, 'refused'],
    [8, 'refused'],
    [12, 'refused'],
    [13, 'refused'],
  ])('status %i is %s, in trailers and in headers alone', async (status, kind) => {
    collector.respond = (call) => answer(call, String(status), 'why%20not%20%25');
    expect(await send()).toMatchObject({ kind, reason: `gRPC status ${status} why not %` });
    collector.respond = (call) => trailersOnly(call, { 'grpc-status': String(status), 'grpc-message': 'no' });
    expect(await send()).toMatchObject({ kind, reason: `gRPC status ${status} no` });
  });

  it('shows a message as it is that is no percent encoding', async () => {
    collector.respond = (call) => trailersOnly(call, { 'grpc-status': '3', 'grpc-message': '100% wrong' });
    expect(await send()).toEqual({ kind: 'refused', reason: 'gRPC status 3 100% wrong' });
  });

  it.each([
    ['1500', 1500],
    ['999999999', 60_000],
    ['-1', undefined],
    ['soon', undefined],
  ])('comes again after the pushback %s', async (pushback, afterMs) => {
    collector.respond = (call) => trailersOnly(call, { 'grpc-status': '14', 'grpc-retry-pushback-ms': pushback });
    expect(await send()).toMatchObject({ kind: 'retry', afterMs });
  });

  it('comes again to a collector that is exhausted for now, and only then', async () => {
    const details = Buffer.from('\n(type.googleapis.com/google.rpc.RetryInfo\x12\x04\n\x02\x08\x01', 'latin1');
    const fields = { 'grpc-status': '8', 'grpc-status-details-bin': details.toString('base64') };
    collector.respond = (call) => trailersOnly(call, fields);
    expect(await send()).toMatchObject({ kind: 'retry' });
    collector.respond = (call) => trailersOnly(call, { 'grpc-status': '8', 'grpc-retry-pushback-ms': '10' });
    expect(await send()).toMatchObject({ kind: 'retry', afterMs: 10 });
    collector.respond = (call) => trailersOnly(call, { 'grpc-status': '8' });
    expect(await send()).toMatchObject({ kind: 'refused' });
  });

  it.each<[string, (call: Call) => void]>([
    [
      'an answer that is reset before its status',
      ({ stream }) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(5));
        setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
      },
    ],
    [
      'an answer that ends without a status',
      ({ stream }) => {
        stream.respond({ ':status': 200 });
        stream.end();
      },
    ],
    [
      'a connection cut within the answer',
      ({ stream }) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(5));
        setImmediate(() => stream.session?.destroy());
      },
    ],
    ['a connection cut before the answer', ({ stream }) => stream.session?.destroy()],
    ['RST_STREAM with an error', ({ stream }) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ['RST_STREAM without one', ({ stream }) => stream.close(constants.NGHTTP2_NO_ERROR)],
    ['GOAWAY', ({ stream }) => stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR)],
    ['a server that is no collector', ({ stream }) => stream.respond({ ':status': 404 }, { endStream: true })],
    ['a body that is no response', (call) => answer(call, '0', '', Buffer.from([0xff, 0xff]))],
    ['an endless body', (call) => answer(call, '0', '', Buffer.alloc(1_000_000))],
  ])('does not give a request up after %s', async (_, respond) => {
    collector.respond = respond;
    const result = await send();
    expect(result).toMatchObject({ kind: 'retry', afterMs: undefined });
    expect(result).toMatchObject({ reason: expect.stringMatching(/\S/) });
    collector.respond = (call) => answer(call, '0');
    expect(await send()).toEqual(ok);
  });

  it('makes a second connection after a break, and tells so by `connections`', async () => {
    expect(await send()).toEqual(ok);
    collector.sessions[0]?.destroy();
    await once(collector.sessions[0] as never, 'close');
    let result = await send();
    if (result.kind === 'retry') result = await send(); // the break was noticed by this very request
    expect([result, client.connections]).toEqual([ok, 2]);
  });

  it('says that nobody listens, and finds the collector once it is there', async () => {
    await collector[Symbol.asyncDispose]();
    expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('ECONNREFUSED') });
    collector = new FakeCollector();
    await collector.listen(port);
    expect(await send()).toEqual(ok);
  });

  it('does not wait beyond the deadline, also when the answer drips, and does not trust that connection again', async () => {
    client = clientWith(200);
    const timers: NodeJS.Timeout[] = [];
    collector.respond = ({ stream }) => {
      stream.respond({ ':status': 200 });
      timers.push(setInterval(() => stream.destroyed || stream.write(Buffer.alloc(1)), 20));
    };
    const started = performance.now();
    expect(await send()).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('did not answer within 200 ms'),
    });
    expect(performance.now() - started).toBeLessThan(2000);
    for (const timer of timers) clearInterval(timer);
    collector.respond = (call) => answer(call, '0');
    expect([await send(), client.connections]).toEqual([ok, 2]);
  });

  it('reads the token anew for every connection, and after the collector did not take the old one', async () => {
    collector.respond = (call) =>
      call.headers.authorization === 'Bearer second' ? answer(call, '0') : trailersOnly(call, { 'grpc-status': '16' });
    token = 'second';
    expect(await send()).toEqual(ok);
    token = 'third'; // nobody asks while the connection holds
    expect(await send()).toEqual(ok);
    collector.sessions[0]?.destroy();
    await once(collector.sessions[0] as never, 'close');
    token = 'first';
    expect(await send()).toMatchObject({ kind: 'retry' });
    token = 'second';
    let result = await send();
    if (result.kind === 'retry') result = await send();
    expect(result).toEqual(ok);
  });

  it('says why there is no token', async () => {
    client = new OtlpClient({
      endpoint: `http://127.0.0.1:${port}`,
      token: () => {
        throw new Error('the token file /x cannot be read');
      },
      timeoutMs: 1000,
    });
    expect(await send()).toEqual({ kind: 'retry', afterMs: undefined, reason: 'the token file /x cannot be read' });
  });

  it('ends a request under way when it is closed, and connects no more', async () => {
    const arrived = Promise.withResolvers<void>();
    collector.respond = () => arrived.resolve();
    const pending = send();
    await arrived.promise;
    client[Symbol.dispose]();
    client[Symbol.dispose]();
    expect(await pending).toMatchObject({ kind: 'retry' });
    expect(await send()).toEqual({ kind: 'retry', afterMs: undefined, reason: 'the client was closed' });
    expect(client.connections).toBe(1);
  });
});
