import { type ClientHttp2Session, connect, constants } from 'node:http2';
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

/**
 * Sends OTLP export requests over gRPC on one HTTP/2 connection, which is made when needed and made again after it broke.
 * Never throws for what the network or the collector does: the answer says whether to retry.
 */
export class OtlpClient implements Disposable {
  readonly #options: ClientOptions;
  #session: ClientHttp2Session | undefined;
  #token = '';
  /** Connections made so far: a change tells the caller that the collector may have forgotten what it was told. */
  connections = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async export(signal: Signal, request: Uint8Array): Promise<ExportAnswer> {
    try {
      return await this.#exchange(services[signal], request);
    } catch (error) {
      return { kind: 'retry', afterMs: undefined, reason: (error as Error).message };
    }
  }

  [Symbol.dispose](): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#token = this.#options.token();
    const session = connect(this.#options.endpoint, { maxSessionMemory: 64 });
    session.on('error', () => session.destroy()); // the stream's own error tells what happened
    session.unref();
    this.#session = session;
    this.connections++;
    return session;
  }

  #exchange(path: string, request: Uint8Array): Promise<ExportAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ExportAnswer>();
    const session = this.#connected();
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${this.#options.timeoutMs}m`,
      authorization: `Bearer ${this.#token}`,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let status: Record<string, unknown> = {};
    stream.setTimeout(this.#options.timeoutMs, () => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(
        new AgentError(
          'unreachable',
          `the collector at ${this.#options.endpoint} did not answer within ${this.#options.timeoutMs} ms`,
        ),
      );
    });
    stream.on('response', (headers) => {
      status = headers;
    });
    stream.on('trailers', (trailers) => {
      status = { ...status, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxAnswerBytes) chunks.push(chunk);
      else stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
    stream.on('error', reject);
    stream.on('close', () => {
      if (status['grpc-status'] === undefined && status[':status'] === undefined)
        reject(new AgentError('unreachable', `the collector at ${this.#options.endpoint} closed the connection`));
      else resolve(this.#answer(status, Buffer.concat(chunks)));
    });
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(request.byteLength, 1);
    stream.write(frame);
    stream.end(request);
    return promise;
  }

  #answer(headers: Record<string, unknown>, body: Buffer): ExportAnswer {
    const code = Number(headers['grpc-status'] ?? (headers[':status'] === 200 ? 2 : 14));
    const reason = `gRPC status ${code} ${decodeURIComponent(String(headers['grpc-message'] ?? ''))}`.trim();
    if (code === 0) {
      const partial = body.length > 5 ? decodeExportResponse(body.subarray(5)) : undefined;
      return { kind: 'accepted', rejectedRecords: Number(partial?.rejected ?? 0), message: partial?.message ?? '' };
    }
    if (code === unauthenticated) this.#session?.close(); // the token file may be newer than the connection
    const retry =
      retryable.has(code) ||
      code === unauthenticated ||
      (code === resourceExhausted && 'grpc-retry-pushback-ms' in headers);
    if (!retry) return { kind: 'refused', reason };
    const pushback = headers['grpc-retry-pushback-ms'];
    return { kind: 'retry', afterMs: pushback === undefined ? undefined : Number(pushback), reason };
  }
}
