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
      response.on('error', reject);
      response.on('end', () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as T & {
            error?: { code: string; message: string };
          };
          if (response.statusCode === 200) resolve(answer);
          else
            reject(
              new AgentError(
                'refused',
                answer.error?.message ?? `the agent answered with status ${response.statusCode}`,
              ),
            );
        } catch (cause) {
          reject(new AgentError('failed', `the agent's answer cannot be read: ${(cause as Error).message}`, { cause }));
        }
      });
    },
  );
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  asked.on('error', (cause: NodeJS.ErrnoException) => {
    const nobody = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
    reject(
      nobody
        ? new AgentError(
            'not-running',
            `no agent answers on ${socketPath}; start one with "picket up" or "picket agent"`,
            { cause },
          )
        : cause.code === 'EACCES'
          ? new AgentError('refused', `${socketPath} may be opened by root only`, { cause })
          : new AgentError('failed', `asking the agent on ${socketPath}: ${cause.message}`, { cause }),
    );
  });
  asked.end(text);
  return promise;
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
