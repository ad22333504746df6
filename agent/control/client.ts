import { request } from 'node:http';
import { AgentError } from '../error.ts';

/**
 * Asks the agent on this machine.
 *
 * @throws AgentError `not-running` when nobody listens on the socket, `refused` with the agent's own words
 */
export async function ask<T = unknown>(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs = 30_000,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fail = (cause: NodeJS.ErrnoException): void => reject(explain(cause, socketPath));
  const text = body === undefined ? undefined : JSON.stringify(body);
  const asked = request(
    {
      socketPath,
      method,
      path,
      timeout: timeoutMs,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text ?? '') },
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(readAnswer(response.statusCode, Buffer.concat(chunks).toString('utf8')) as T);
        } catch (error) {
          reject(error);
        }
      });
    },
  );
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  asked.on('error', fail);
  asked.end(text);
  return promise;
}

function readAnswer(status: number | undefined, text: string): unknown {
  let answer: { error?: { message?: string } };
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new AgentError('failed', `the agent's answer cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (status === 200) return answer;
  throw new AgentError('refused', answer?.error?.message ?? `the agent answered with status ${status}`);
}

function explain(cause: NodeJS.ErrnoException, socketPath: string): AgentError {
  if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED')
    return new AgentError(
      'not-running',
      `no agent answers on ${socketPath}; start one with "picket up" or "picket agent"`,
      { cause },
    );
  if (cause.code === 'EACCES') return new AgentError('refused', `${socketPath} may be opened by root only`, { cause });
  return new AgentError('failed', `asking the agent on ${socketPath}: ${cause.message}`, { cause });
}

/** Whether an agent answers on the socket. */
export async function isAgentThere(socketPath: string): Promise<boolean> {
  try {
    await ask(socketPath, 'GET', '/v1/status', undefined, 3000);
    return true;
  } catch (error) {
    return !(error instanceof AgentError && error.code === 'not-running');
  }
}
