import { timingSafeEqual } from 'node:crypto';
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { ByteBudget } from './budget.ts';
import { CallError, code, statusFields } from './grpc-status.ts';
import { frame, gunzip, type MessageLimits, readMessage } from './message.ts';

export type Signal = 'logs' | 'traces';

/** Takes an export request and returns the bytes of its response once the request is safe. Throws CallError to refuse. */
export type Accept = (signal: Signal, request: Buffer) => Promise<Uint8Array>;

export interface CallSettings {
  readonly accept: Accept;
  /** Without one, every caller is let in. */
  readonly token: string | undefined;
  readonly limits: MessageLimits;
  readonly budget: ByteBudget;
  /** A call that sends nothing for so long is ended. */
  readonly idleMs: number;
  /** Called once a call has its status. */
  readonly onEnd?: (signal: Signal | undefined, status: number, message: string) => void;
}

const SERVICES: ReadonlyMap<string, Signal> = new Map([
  ['/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'logs'],
  ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces'],
]);
const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

/** Serves one unary gRPC call. Never throws; whatever goes wrong becomes the status of this call alone. */
export async function serveCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, settings: CallSettings) {
  stream.on('error', () => {}); // a caller that goes away is no concern of ours; 'close' follows
  const signal = SERVICES.get(headers[':path'] ?? '');
  const refused = notGrpc(headers);
  if (refused) {
    return fail(stream, { ':status': refused });
  }
  const ended = Promise.withResolvers<never>();
  const timer = startDeadline(headers['grpc-timeout'], ended.reject);
  stream.setTimeout(settings.idleMs, () =>
    ended.reject(new CallError(code.deadlineExceeded, `nothing came for ${settings.idleMs} ms`)),
  );
  try {
    const response = await Promise.race([takeIn(stream, headers, signal, settings), ended.promise]);
    succeed(stream, response);
    settings.onEnd?.(signal, code.ok, '');
  } catch (error) {
    if (stream.destroyed) return settings.onEnd?.(signal, code.cancelled, 'the caller went away');
    const { status, message, retryAfterMs } =
      error instanceof CallError ? error : new CallError(code.internal, 'internal error', { cause: error });
    fail(stream, { ...CONTENT, ...statusFields(status, message, retryAfterMs) });
    settings.onEnd?.(signal, status, error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

async function takeIn(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  signal: Signal | undefined,
  { accept, token, limits, budget }: CallSettings,
): Promise<Uint8Array> {
  // Who calls comes first: a stranger learns nothing and makes nothing unpack.
  if (token !== undefined && !sameToken(headers.authorization, token))
    throw new CallError(code.unauthenticated, 'authorization: Bearer TOKEN is missing or wrong');
  if (signal === undefined)
    throw new CallError(
      code.unimplemented,
      headers[':path'] === METRICS ? 'metrics are not taken here' : `no such method: ${headers[':path']}`,
    );
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new CallError(code.unimplemented, `grpc-encoding ${encoding} is not known here; identity and gzip are`);

  using share = budget.open();
  // Leaving the loop early must not reset the stream: the status is still to be sent.
  const message = await readMessage(stream.iterator({ destroyOnReturn: false }), limits, share);
  if (message.compressed && encoding !== 'gzip')
    throw new CallError(code.invalidArgument, 'the message says it is compressed, grpc-encoding does not say how');
  stream.setTimeout(0);
  // `await`, so that the share is held until the request is safe.
  return await accept(signal, message.compressed ? await gunzip(message.bytes, limits, share) : message.bytes);
}

/** The HTTP status for what is no gRPC call at all, undefined for one that is (grpc: PROTOCOL-HTTP2.md, Requests). */
function notGrpc(headers: IncomingHttpHeaders): number | undefined {
  if (headers[':method'] !== 'POST') return 405;
  return /^application\/grpc(\+proto)?\s*(;|$)/.test(headers['content-type'] ?? '') ? undefined : 415;
}

function sameToken(authorization: string | undefined, token: string): boolean {
  const given = Buffer.from(authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

function startDeadline(timeout: string | string[] | undefined, reject: (error: CallError) => void) {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(String(timeout ?? ''));
  if (!parts) return undefined;
  const ms = Number(parts[1]) * (UNIT_MS[parts[2] ?? ''] ?? 0);
  const expire = () => reject(new CallError(code.deadlineExceeded, `not done within ${timeout}`));
  return setTimeout(expire, Math.min(ms, 2 ** 31 - 1));
}

const CONTENT = { ':status': 200, 'content-type': 'application/grpc+proto', 'grpc-accept-encoding': 'identity,gzip' };

function succeed(stream: ServerHttp2Stream, response: Uint8Array): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(CONTENT, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(statusFields(code.ok)));
  stream.end(frame(response));
}

/**
 * Headers and trailers in one ("Trailers-Only"). What the caller still sends is thrown away for a moment: a reset right
 * behind the headers would take them along, the caller would never see its status.
 */
function fail(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(headers, { endStream: true });
  stream.resume();
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), 100);
  stream.once('close', () => clearTimeout(timer));
}
