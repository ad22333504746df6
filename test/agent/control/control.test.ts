import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, isAgentThere } from '../../../agent/control/client.ts';
import { type ControlApi, ControlServer } from '../../../agent/control/server.ts';
import { AgentError } from '../../../agent/error.ts';
import { KernelError } from '../../../agent/kernel/error.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';

let folder: string;
let socket: string;
let server: ControlServer;
let asked: [name: string, body: unknown][];
let behave: Partial<ControlApi>;

/** An agent that tells what it was asked. */
const api = new Proxy({} as ControlApi, {
  get: (_, name: keyof ControlApi) => (body: unknown) => {
    asked.push([name, body]);
    return behave[name] === undefined ? { name } : behave[name](body);
  },
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'picket-control-'));
  socket = join(folder, 'run', 'agent.sock');
  [asked, behave] = [[], {}];
  server = new ControlServer(socket, api);
  await server.listen();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  status: number | undefined;
  headers: IncomingMessage['headers'];
  body: { error?: { code: string; message: string } };
}

/** A request with whatever body, and the answer as it comes. */
async function send(method: string, path: string, body?: string | Buffer, headers = {}): Promise<Answer> {
  const sent = request({ socketPath: socket, method, path, headers });
  const responded = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.end(body);
  const [response] = await responded;
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) };
}

describe('ControlServer', () => {
  it.each([
    ['GET', '/v1/status', 'status'],
    ['GET', '/v1/policies', 'policies'],
    ['PUT', '/v1/policies', 'putPolicies'],
    ['DELETE', '/v1/policies', 'deletePolicies'],
    ['GET', '/v1/workloads', 'workloads'],
    ['PUT', '/v1/workloads', 'putWorkload'],
    ['DELETE', '/v1/workloads', 'deleteWorkload'],
    ['PUT', '/v1/settings', 'putSettings'],
    ['PUT', '/v1/mode', 'putMode'],
    ['POST', '/v1/flush', 'flush'],
    ['POST', '/v1/unload', 'unload'],
  ] as const)('%s %s asks for %s', async (method, path, name) => {
    const body = method === 'GET' ? undefined : { some: ['thing', 'é'] };
    expect(await ask(socket, method, path, body)).toEqual({ name });
    expect(asked.map(([called]) => called)).toEqual([name]);
    if (method === 'PUT' || method === 'DELETE') expect(asked[0]?.[1]).toEqual(body);
  });

  it('takes an empty body for an empty object, and ignores what stands behind a question mark', async () => {
    expect((await send('POST', '/v1/flush?x=1')).status).toBe(200);
    expect(asked).toEqual([['flush', {}]]);
  });

  it('waits for an answer that takes time', async () => {
    const gate = Promise.withResolvers<unknown>();
    behave.flush = () => gate.promise;
    const answer = ask(socket, 'POST', '/v1/flush', {});
    expect(await ask(socket, 'GET', '/v1/status')).toEqual({ name: 'status' });
    gate.resolve({ delivered: true });
    expect(await answer).toEqual({ delivered: true });
  });

  it.each(['/', '/v1/nothing', '/v1/status/', '/constructor', '//', '/v1/%73tatus', '*'])(
    'answers 404 to %s and says what there is',
    async (path) => {
      const { status, body } = await send('GET', path);
      expect([status, body.error?.code]).toEqual([404, 'not-found']);
      expect(body.error?.message).toContain('/v1/status, /v1/policies');
    },
  );

  it('answers 405 to a wrong method and says which are right', async () => {
    const { status, headers, body } = await send('POST', '/v1/policies', '{}');
    expect([status, headers.allow]).toEqual([405, 'GET, PUT, DELETE']);
    expect(body.error).toEqual({
      code: 'method',
      message: 'POST is not answered on /v1/policies; use GET, PUT, DELETE',
    });
    expect(asked).toEqual([]);
  });

  it.each(['{', '[1,', 'policies', '\xff'])('answers 400 to a body that is no JSON: %j', async (text) => {
    const { status, body } = await send('PUT', '/v1/policies', Buffer.from(text, 'latin1'));
    expect([status, body.error?.code]).toEqual([400, 'refused']);
    expect(body.error?.message).toMatch(/^the body is no JSON: /);
    expect(asked).toEqual([]);
  });

  it('answers 413 to a body that is too large, by its length or by what comes, and lives on', async () => {
    const message = 'the body is larger than 67108864 bytes';
    const partial = request({
      socketPath: socket,
      method: 'PUT',
      path: '/v1/policies',
      headers: { 'content-length': 67108865 },
    });
    partial.on('error', () => {});
    partial.write('{');
    const [response] = (await once(partial, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    partial.destroy();
    const whole = await send('PUT', '/v1/policies', Buffer.alloc(67108865, ' '), { 'transfer-encoding': 'chunked' });
    expect([whole.status, whole.body.error]).toEqual([413, { code: 'too-large', message }]);
    expect(await ask(socket, 'GET', '/v1/status')).toEqual({ name: 'status' });
    await expect(ask(socket, 'PUT', '/v1/policies', 'x'.repeat(67108865))).rejects.toThrow(message);
  });

  it('says which field of a body is wrong, what was found and what is allowed', async () => {
    behave.putWorkload = (body) => workloadSchema.parse(body);
    const { status, body } = await send('PUT', '/v1/workloads', JSON.stringify({ cgroup: 'x', pod: 5, pods: 1 }));
    expect([status, body.error?.code]).toEqual([400, 'invalid']);
    expect(body.error?.message).toContain('cgroup: found "x"; allowed: an absolute path');
    expect(body.error?.message).toContain('pod: found 5; allowed: a string');
    expect(body.error?.message).toContain('containerId: found nothing');
    expect(body.error?.message).toContain('the body: found "pods", not known here');
  });

  it('names the body itself when that is no object', async () => {
    behave.putSettings = (body) => z.strictObject({}).parse(body);
    const { body } = await send('PUT', '/v1/settings', '[]');
    expect(body.error?.message).toBe('the body: found an empty list; allowed: a map');
  });

  it.each([
    [new AgentError('workload', 'no such cgroup'), 400, { code: 'workload', message: 'no such cgroup' }],
    [new AgentError('failed', 'the disk is full'), 500, { code: 'failed', message: 'the disk is full' }],
    [
      new KernelError('no-memory', 'creating map x: ENOMEM'),
      500,
      { code: 'no-memory', message: 'creating map x: ENOMEM' },
    ],
    [new TypeError('a mistake'), 500, { code: 'failed', message: 'a mistake' }],
    ['not even an error', 500, { code: 'failed', message: 'not even an error' }],
  ])('answers with what went wrong: %s', async (error, status, expected) => {
    behave.status = () => {
      throw error;
    };
    const answer = await send('GET', '/v1/status');
    expect([answer.status, answer.body.error]).toEqual([status, expected]);
  });

  it('answers 500 when an answer is no JSON, instead of ending the agent', async () => {
    behave.status = () => ({ big: 1n });
    expect((await send('GET', '/v1/status')).body.error).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/BigInt/),
    });
    behave.status = () => undefined;
    expect((await send('GET', '/v1/status')).body).toEqual({});
  });

  it('lives through a caller that goes away while it speaks, and one that speaks no HTTP', async () => {
    const half = connect(socket);
    await once(half, 'connect');
    half.write('PUT /v1/policies HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    half.destroy();
    const strange = connect(socket);
    strange.on('error', () => {});
    strange.write('\0\0\0 hello\r\n\r\n');
    strange.resume();
    await once(strange, 'close');
    expect(await ask(socket, 'GET', '/v1/status')).toEqual({ name: 'status' });
  });

  it('makes the socket for its owner alone, in a folder of its owner alone', () => {
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect([mode(socket), mode(join(folder, 'run'))]).toEqual(['600', '700']);
  });

  it('takes the place of a socket that a killed agent left, and removes its own at the end', async () => {
    await server[Symbol.asyncDispose]();
    expect(existsSync(socket)).toBe(false);
    const child = spawn(
      process.execPath,
      ['-e', `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(socket)).toBe(true);
    expect(await isAgentThere(socket)).toBe(false);
    server = new ControlServer(socket, api);
    await server.listen();
    expect(await isAgentThere(socket)).toBe(true);
  });

  it('ends with requests under way, and twice', async () => {
    behave.flush = () => new Promise(() => {});
    const pending = ask(socket, 'POST', '/v1/flush', {});
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([server[Symbol.asyncDispose](), expect(pending).rejects.toThrow(AgentError)]);
    await server[Symbol.asyncDispose]();
    expect(existsSync(socket)).toBe(false);
  });
});

describe('ask()', () => {
  const failing = (path: string, timeoutMs?: number) => ask(path, 'GET', '/v1/status', undefined, timeoutMs);

  /** Something that listens on a socket and is no agent. */
  async function listener(answer: string): Promise<[string, Server]> {
    const path = join(folder, 'other.sock');
    const other = createServer((connection) => {
      connection.on('error', () => {});
      connection.on('data', () => connection.end(answer));
    });
    other.listen(path);
    await once(other, 'listening');
    return [path, other];
  }

  it('says that no agent runs, and how to start one', async () => {
    const path = join(folder, 'nobody.sock');
    await expect(failing(path)).rejects.toMatchObject({
      code: 'not-running',
      message: `no agent answers on ${path}; start one with "picket up" or "picket agent"`,
    });
    expect(await isAgentThere(path)).toBe(false);
  });

  it('gives the agent’s own words when it refuses', async () => {
    behave.status = () => {
      throw new AgentError('workload', 'its own words');
    };
    await expect(failing(socket)).rejects.toMatchObject({ code: 'refused', message: 'its own words' });
    expect(await isAgentThere(socket)).toBe(true);
  });

  it.each([
    ['no HTTP at all', /asking the agent on .*: /],
    ['HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope', /the agent's answer cannot be read: /],
    ['HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{', /asking the agent on .*: aborted|cannot be read/],
    ['HTTP/1.1 502 Bad\r\ncontent-length: 2\r\n\r\n{}', /the agent answered with status 502/],
    ['', /asking the agent on .*: socket hang up/],
  ])('says what is wrong with an answer: %j', async (answer, message) => {
    const [path, other] = await listener(answer);
    await expect(failing(path)).rejects.toMatchObject({ name: 'AgentError', message: expect.stringMatching(message) });
    expect(await isAgentThere(path)).toBe(true); // somebody has the socket
    other.close();
  });

  it('does not wait for ever', async () => {
    behave.status = () => new Promise(() => {});
    await expect(failing(socket, 50)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining('no answer within 50 ms'),
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'says to an ordinary user that the socket is for root (needs root to try)',
    async () => {
      chmodSync(folder, 0o755);
      mkdirSync(join(folder, 'client'));
      writeFileSync(join(folder, 'client', 'x'), '');
      const client = new URL('../../../agent/control/client.ts', import.meta.url).pathname;
      const script = `import { ask } from ${JSON.stringify(client)};
      process.setuid(65534);
      await ask(${JSON.stringify(socket)}, 'GET', '/v1/status').catch((error) => console.log(error.code, error.message));`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      for await (const chunk of child.stdout as NonNullable<ChildProcess['stdout']>) text += chunk;
      expect(text).toBe(`refused ${socket} may be opened by root only\n`);
    },
  );
});
