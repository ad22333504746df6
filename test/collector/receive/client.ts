import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';

export const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
export const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

export interface Answer {
  readonly http: number;
  /** `grpc-status`, from headers or trailers; NaN when there was none. */
  readonly status: number;
  readonly message: string;
  readonly trailersOnly: boolean;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The code of RST_STREAM, 0 for a clean end. */
  readonly reset: number;
}

/** A gRPC message with its five-byte prefix. */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** A hand-written gRPC client: it sends what it is told, right or wrong. */
export class GrpcClient implements Disposable {
  readonly session: ClientHttp2Session;

  constructor(address: string) {
    this.session = connect(`http://${address}`);
    this.session.on('error', () => {});
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }

  /** Sends `pieces` as separate DATA frames; `end: false` leaves the request open. */
  async call(
    path: string,
    pieces: readonly Uint8Array[],
    headers: OutgoingHttpHeaders = {},
    { end = true }: { end?: boolean } = {},
  ): Promise<Answer> {
    const stream = this.session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...headers,
    });
    const fields: Record<string, string> = {};
    let trailersOnly = true;
    const body: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('response', (received, flags) => {
      trailersOnly = (flags & 1) === 1;
      Object.assign(fields, received);
    });
    stream.on('trailers', (received) => Object.assign(fields, received));
    stream.on('data', (chunk: Buffer) => body.push(chunk));
    for (const piece of pieces) {
      if (stream.destroyed) break;
      stream.write(piece);
      if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    if (end) stream.end();
    await once(stream, 'close');
    return {
      http: Number(fields[':status']),
      status: Number(fields['grpc-status'] ?? Number.NaN),
      message: decodeURIComponent(fields['grpc-message'] ?? ''),
      trailersOnly,
      fields,
      body: Buffer.concat(body),
      reset: stream.rstCode ?? 0,
    };
  }
}
