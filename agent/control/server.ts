import { isUtf8 } from 'node:buffer';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../error.ts';
import { KernelError } from '../kernel/error.ts';
import { formatField, printable } from '../policy/field.ts';
import { issueMessage, issuePath } from '../policy/issue.ts';

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
  explain(body: unknown): unknown;
  putMode(body: unknown): unknown;
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
  '/v1/explain': { POST: (api, body) => api.explain(body) },
  '/v1/mode': { PUT: (api, body) => api.putMode(body) },
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
  request.on('error', () => {}); // who asked has gone
  const [status, body, headers] = await outcomeOf(api, request);
  let text: string;
  try {
    text = JSON.stringify(body ?? {});
  } catch (error) {
    return send(response, 500, JSON.stringify(failure('failed', (error as Error).message)));
  }
  send(response, status, text, headers);
  // The rest of a body that is too large is thrown away (requestTimeout bounds it): the answer is seen, and no reset.
  if (!request.readableEnded) request.resume();
}

function send(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(`${text}\n`);
}

type Outcome = [status: number, body: unknown, headers?: Record<string, string>];

async function outcomeOf(api: ControlApi, request: IncomingMessage): Promise<Outcome> {
  const [path = ''] = (request.url ?? '').split('?');
  const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (methods === undefined)
    return [404, failure('not-found', `no such path: ${path}; there are ${Object.keys(routes).join(', ')}`)];
  const handler = methods[request.method ?? ''];
  if (handler === undefined) {
    const allow = Object.keys(methods).join(', ');
    return [405, failure('method', `${request.method} is not answered on ${path}; use ${allow}`), { allow }];
  }
  try {
    const bytes = await readBody(request);
    if (bytes === undefined) return [413, failure('too-large', `the body is larger than ${maxBodyBytes} bytes`)];
    const body = parseBody(bytes);
    try {
      return [200, await handler(api, body)];
    } catch (error) {
      return describe(error, body);
    }
  } catch (error) {
    return describe(error, undefined);
  }
}

/** Undefined when there is more than may be; the rest is not read. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop early must not cut the connection: the answer is still to be sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  if (!isUtf8(bytes)) throw new AgentError('refused', 'the body is no JSON: found bytes that are not UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new AgentError('refused', `the body is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function failure(code: string, message: string) {
  return { error: { code, message } };
}

function describe(error: unknown, body: unknown): Outcome {
  if (error instanceof z.ZodError) {
    const lines = error.issues.map(
      (issue) => `${formatField(issuePath(issue)) || 'the body'}: ${explainIssue(issue, body)}`,
    );
    return [400, failure('invalid', lines.join('; '))];
  }
  if (error instanceof AgentError) return [error.blame === 'user' ? 400 : 500, failure(error.code, error.message)];
  if (error instanceof KernelError) return [500, failure(error.code, error.message)];
  return [500, failure('failed', error instanceof Error ? error.message : String(error))];
}

function explainIssue(issue: z.core.$ZodIssue, body: unknown): string {
  if (issue.code === 'unrecognized_keys') return `found ${issue.keys.map(printable).join(', ')}, not known here`;
  return issueMessage(issue, body);
}
