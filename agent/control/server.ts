import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../error.ts';
import { KernelError } from '../kernel/error.ts';

/** What the agent does for a request; bodies are parsed JSON, not yet checked. */
export interface ControlApi {
  status(): unknown;
  policies(): unknown;
  putPolicies(body: unknown): unknown;
  deletePolicies(body: unknown): unknown;
  workloads(): unknown;
  putWorkload(body: unknown): unknown;
  deleteWorkload(body: unknown): unknown;
  putSettings(body: unknown): unknown;
  flush(body: unknown): unknown;
  unload(): unknown;
}

const maxBodyBytes = 64 * 1024 * 1024;

type Handler = (api: ControlApi, body: unknown) => unknown;
const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/v1/status': { GET: (api) => api.status() },
  '/v1/policies': {
    GET: (api) => api.policies(),
    PUT: (api, body) => api.putPolicies(body),
    DELETE: (api, body) => api.deletePolicies(body),
  },
  '/v1/workloads': {
    GET: (api) => api.workloads(),
    PUT: (api, body) => api.putWorkload(body),
    DELETE: (api, body) => api.deleteWorkload(body),
  },
  '/v1/settings': { PUT: (api, body) => api.putSettings(body) },
  '/v1/flush': { POST: (api, body) => api.flush(body) },
  '/v1/unload': { POST: (api) => api.unload() },
};

/**
 * The control socket: HTTP/1.1 and JSON on a Unix socket that only its owner may open (0600, in a folder of 0700). It
 * answers after the change is in force. An error is `{"error":{"code","message"}}` with a status of 400 and up.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;

  constructor(path: string, api: ControlApi) {
    this.path = path;
    this.#server = createServer((request, response) => void answer(api, request, response));
    this.#server.headersTimeout = 10_000;
    this.#server.requestTimeout = 60_000;
  }

  async listen(): Promise<void> {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    rmSync(this.path, { force: true }); // left by an agent that was killed: the caller has made sure that none lives
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    const before = process.umask(0o177);
    this.#server.listen(this.path, resolve);
    process.umask(before);
    await promise;
    chmodSync(this.path, 0o600);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
    rmSync(this.path, { force: true });
  }
}

async function answer(api: ControlApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  try {
    const { pathname } = new URL(request.url ?? '/', 'http://agent');
    const methods = routes[pathname];
    if (methods === undefined)
      return send(404, failure('not-found', `no such path: ${pathname}; there are ${Object.keys(routes).join(', ')}`));
    const handler = methods[request.method ?? ''];
    if (handler === undefined)
      return send(
        405,
        failure('method', `${request.method} is not answered on ${pathname}; use ${Object.keys(methods).join(', ')}`),
      );
    send(200, await handler(api, await readBody(request)));
  } catch (error) {
    const [status, body] = describe(error);
    send(status, body);
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new AgentError('refused', `the body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new AgentError('refused', `the body is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function failure(code: string, message: string) {
  return { error: { code, message } };
}

function describe(error: unknown): [status: number, body: unknown] {
  if (error instanceof z.ZodError) {
    const message = error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ');
    return [400, failure('invalid', message)];
  }
  if (error instanceof AgentError) return [error.blame === 'user' ? 400 : 500, failure(error.code, error.message)];
  if (error instanceof KernelError) return [500, failure(error.code, error.message)];
  return [500, failure('failed', error instanceof Error ? error.message : String(error))];
}
