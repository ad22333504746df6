import { once } from 'node:events';
import { chmodSync, mkdirSync, unlinkSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { dirname } from 'node:path';
import { CollectorError } from './error.ts';

/**
 * `GET /v1/status` as JSON over HTTP/1.1 on a Unix socket that only the owner can use. A socket left by a collector that
 * is gone is replaced; one that is answered belongs to another collector, and starting is refused.
 */
export async function serveStatus(path: string, status: () => unknown): Promise<AsyncDisposable> {
  const server = createServer((incoming, response) => {
    const found = incoming.url === '/v1/status';
    const allowed = incoming.method === 'GET';
    response.statusCode = !found ? 404 : allowed ? 200 : 405;
    response.setHeader('content-type', 'application/json');
    const wrong = { error: { code: found ? 'method' : 'path', message: 'there is GET /v1/status' } };
    response.end(`${JSON.stringify(response.statusCode === 200 ? status() : wrong)}\n`);
  });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await answers(path)) throw new CollectorError('address-in-use', `another collector answers on ${path}`);
  try {
    unlinkSync(path);
  } catch {
    // there was none
  }
  server.listen(path);
  await once(server, 'listening');
  chmodSync(path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close(); // takes the socket away
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answers(path: string): Promise<boolean> {
  const asked = request({ socketPath: path, path: '/v1/status', timeout: 1000 }).end();
  try {
    const [response] = await once(asked, 'response');
    response.resume();
    return true;
  } catch {
    return false;
  } finally {
    asked.destroy();
  }
}
