import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { decodeExportResponse } from '../../otel/otlp/response.ts';
import { AgentError } from '../error.ts';

/** What the collector said to one export request. */
export type ExportAnswer =
  | { kind: 'accepted'; rejectedRecords: number; message: string }
  | { kind: 'retry'; afterMs: number | undefined; reason: string }
  | { kind: 'refused'; reason: string };

export interface ClientOptions {
  /** Such as `http://127.0.0.1:4317`. */
  endpoint: string;
  /** Read anew for every connection. */
  token: () => string;
  timeoutMs: number;
}

const services = {
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
} as const;
export type Signal = keyof typeof services;

/** gRPC status codes that the OTLP specification calls retryable: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const retryable = new Set([1, 4, 10, 11, 14, 15]);
const resourceExhausted = 8;
const unauthenticated = 16;
const maxAnswerBytes = 64 * 1024;
const maxPushbackMs = 60_000;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Sends OTLP export requests over gRPC on one HTTP/2 connection, which is made when needed and made again after it broke.
 * Never throws for what the network or the collector does: the answer says whether to retry. Only a status that the
 * collector itself gave refuses a request; an answer that is cut or cannot be read means that nobody knows: retry.
 */
export class OtlpClient implements Disposable {
  readonly #options: ClientOptions;
  #session: ClientHttp2Session | undefined;
  #token = '';
  #closed = false;
  /** Connections made so far: a change tells the caller that the collector may have forgotten what it was told. */
  connections = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async export(signal: Signal, request: Uint8Array): Promise<ExportAnswer> {
    try {
      return this.#answer(await this.#exchange(services[signal], request));
    } catch (error) {
      return { kind: 'retry', afterMs: undefined, reason: (error as Error).message };
    }
  }

  /** Ends the connection and every request under way; those get the answer `retry`, as does any later one. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connected(): ClientHttp2Session {
    if (this.#closed) throw new AgentError('failed', 'the client was closed');
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#token = this.#options.token();
    const session = connect(this.#options.endpoint, { maxSessionMemory: 64 });
    session.on('error', () => session.destroy()); // the stream's own error tells what happened
    session.unref();
    this.#session = session;
    this.connections++;
    return session;
  }

  async #exchange(path: string, request: Uint8Array): Promise<{ fields: Fields; body: Buffer }> {
    const { endpoint, timeoutMs } = this.#options;
    const session = this.#connected();
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${timeoutMs}m`,
      authorization: `Bearer ${this.#token}`,
    });
    // A connection on which no answer comes may be dead without a word: the next request gets another one.
    const deadline = setTimeout(() => {
      session.destroy(
        new AgentError('unreachable', `the collector at ${endpoint} did not answer within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    try {
      const answer = receive(stream);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(request.byteLength, 1);
      stream.write(prefix);
      stream.end(request);
      return await answer;
    } finally {
      clearTimeout(deadline);
    }
  }

  #answer({ fields, body }: { fields: Fields; body: Buffer }): ExportAnswer {
    const status = fields['grpc-status'];
    if (status === undefined)
      throw new AgentError(
        'unreachable',
        `the answer of ${this.#options.endpoint} has no gRPC status (HTTP status ${fields[':status'] ?? 'missing'}): it was cut, or that is no OTLP collector`,
      );
    const code = Number(status);
    if (code === 0) {
      const partial = body.length > 5 ? decodeExportResponse(body.subarray(5)) : undefined;
      return { kind: 'accepted', rejectedRecords: partial?.rejected ?? 0, message: partial?.message ?? '' };
    }
    const reason = `gRPC status ${code} ${percentDecode(String(fields['grpc-message'] ?? ''))}`.trim();
    if (code === unauthenticated) this.#session?.close(); // the token file may be newer than the connection
    const pushback = pushbackMs(fields);
    const comeAgain = code === resourceExhausted && (pushback !== undefined || hasRetryInfo(fields));
    const retry = retryable.has(code) || code === unauthenticated || comeAgain;
    return retry ? { kind: 'retry', afterMs: pushback, reason } : { kind: 'refused', reason };
  }
}

/** Headers, trailers and body of the answer, once the stream is closed. */
function receive(stream: ClientHttp2Stream): Promise<{ fields: Fields; body: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ fields: Fields; body: Buffer }>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let fields: Fields = {};
  const add = (more: Fields): void => {
    fields = { ...fields, ...more };
  };
  stream.on('response', add);
  stream.on('trailers', add);
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxAnswerBytes) chunks.push(chunk);
    else stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  stream.on('error', reject);
  stream.on('close', () => resolve({ fields, body: Buffer.concat(chunks) }));
  return promise;
}

/** When the server wants the request again (grpc: A6); anything but a number of milliseconds says nothing. */
function pushbackMs(fields: Fields): number | undefined {
  const text = String(fields['grpc-retry-pushback-ms'] ?? '');
  return /^\d{1,9}$/.test(text) ? Math.min(Number(text), maxPushbackMs) : undefined;
}

/** A server that is full for now says so with a RetryInfo; without one, the same request will never fit. */
function hasRetryInfo(fields: Fields): boolean {
  const details = Buffer.from(String(fields['grpc-status-details-bin'] ?? ''), 'base64');
  return details.includes('type.googleapis.com/google.rpc.RetryInfo');
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
