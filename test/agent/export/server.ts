import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface Call {
  headers: IncomingHttpHeaders;
  body: Buffer;
  stream: ServerHttp2Stream;
}

/** An HTTP/2 server that answers each whole request with whatever a test wants, right or wrong. */
export class FakeCollector implements AsyncDisposable {
  readonly calls: Call[] = [];
  readonly sessions: ServerHttp2Session[] = [];
  respond: (call: Call) => void = (call) => answer(call, '0');
  readonly #server = createServer();

  constructor() {
    this.#server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => {});
    });
    this.#server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => {});
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const call = { headers, body: Buffer.concat(chunks), stream };
        this.calls.push(call);
        this.respond(call);
      });
    });
  }

  async listen(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const session of this.sessions) session.destroy();
    await once(this.#server, 'close');
  }
}

const content = { ':status': 200, 'content-type': 'application/grpc' };

/** A gRPC answer: headers, one message, the status in the trailers. */
export function answer({ stream }: Call, status: string, message = '', body: Uint8Array = new Uint8Array(0)): void {
  stream.respond(content, { waitForTrailers: true });
  stream.once('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': status, ...(message && { 'grpc-message': message }) }),
  );
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([prefix, body]));
}

/** An answer without a message: the status stands in the headers. */
export function trailersOnly({ stream }: Call, fields: Record<string, string>): void {
  stream.respond({ ...content, ...fields }, { endStream: true });
}
