import { once } from 'node:events';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type CallSettings, serveCall } from './call.ts';

export interface ReceiverOptions extends CallSettings {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Beyond these, a connection is closed as soon as it is opened. */
  readonly maxConnections: number;
}

export interface Receiver extends AsyncDisposable {
  /** `127.0.0.1:4317` as it is bound. */
  readonly address: string;
  /** Takes no new call, lets those in progress end for `graceMs`, then closes every connection. */
  close(graceMs: number): Promise<void>;
}

const MiB = 1024 * 1024;

/**
 * OTLP/gRPC without TLS on node:http2. Windows and frame size are those with which one connection was measured at three
 * times the throughput of grpc-js. Throws (EADDRINUSE, …) when the address cannot be bound.
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const server = createServer({
    maxSessionMemory: 128, // MiB; the default of 10 ends sessions with ENHANCE_YOUR_CALM below the windows set here
    settings: {
      initialWindowSize: 8 * MiB,
      maxFrameSize: MiB,
      maxConcurrentStreams: 128,
      maxHeaderListSize: 16 * 1024,
      enablePush: false,
    },
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    session.on('error', () => {}); // HTTP/1, broken frames: this connection ends, nothing else
    if (sessions.size >= options.maxConnections) return session.destroy();
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.setLocalWindowSize(64 * MiB);
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => void serveCall(stream as ServerHttp2Stream, headers, options));

  server.listen(options.port, options.host);
  await once(server, 'listening'); // rejects on 'error'
  const { address, port, family } = server.address() as AddressInfo;

  const receiver: Receiver = {
    address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`,
    async close(graceMs) {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.close(); // GOAWAY; open streams go on
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
    [Symbol.asyncDispose]: () => receiver.close(0),
  };
  return receiver;
}
