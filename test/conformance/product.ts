import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../agent/control/client.ts';
import type { Settings } from '../../agent/policy/settings.ts';
import { type AlertFeed, openAlertFeed } from './feed.ts';
import type { Backend } from './judge.ts';

/** A running agent and collector, as their users start them, with everything they keep below one folder. */
export interface Product extends AsyncDisposable {
  readonly backend: Backend;
  readonly feed: AlertFeed;
  /** The agent's settings, as it was started with. */
  readonly settings: Settings;
  /** A request to the agent's control socket. */
  control<T = unknown>(method: string, path: string, body?: unknown, timeoutMs?: number): Promise<T>;
  /** Everything that has happened up to now is in the feed; false when that could not be confirmed in time. */
  settle(timeoutMs: number): Promise<boolean>;
  /** The end of what both programs logged. */
  log(): string;
}

const CHECKOUT = join(import.meta.dirname, '../..');
const AGENT = join(CHECKOUT, 'agent/picket.ts');
const COLLECTOR = join(CHECKOUT, 'collector/main.ts');

/** The programs that `startProduct` runs. */
export const PROGRAMS = [AGENT, COLLECTOR];

/** Starts both; throws with the end of the log when one does not come up. `collector`: further keys of its configuration. */
export async function startProduct(directory: string, collector: object = {}): Promise<Product> {
  await using stack = new AsyncDisposableStack();
  const path = (name: string) => join(directory, name);
  mkdirSync(directory, { recursive: true });
  const logFile = path('log');
  const control: Product['control'] = (method, target, body, timeoutMs) =>
    ask(path('run/agent.sock'), method, target, body, timeoutMs);
  const start = (name: string, command: string[], config: object, end: End): Started => {
    // YAML takes JSON
    writeFileSync(path(`${name}.yaml`), JSON.stringify(config));
    return stack.use(startProgram([...command, '--config', path(`${name}.yaml`)], logFile, end));
  };

  const store = path('collector/alerts.db');
  const statusSocket = path('collector.sock');
  const address = `127.0.0.1:${await freePort()}`;
  // Both at once, for starting takes seconds in a guest: the agent waits for its collector, and is stopped before it.
  const programs = [
    start(
      'collector',
      [COLLECTOR, 'collector'],
      {
        stateDir: path('collector'),
        otlp: { grpc: { address } },
        statusSocket,
        store: { path: store },
        ...collector,
      },
      (child) => child.kill('SIGTERM'),
    ),
    start(
      'agent',
      [AGENT, 'agent'],
      {
        stateDir: path('agent'),
        runDir: path('run'),
        pins: 'off',
        collector: { endpoint: `http://${address}`, tokenFile: path('collector/token') },
      },
      // Nothing of it is to stay in the kernel
      (child) => void control('POST', '/v1/unload').catch(() => child.kill('SIGTERM')),
    ),
  ];
  for (const { ready } of programs) await ready;

  const { backend } = await control<{ backend: Backend }>('GET', '/v1/status');
  const { settings } = await control<{ settings: Settings }>('PUT', '/v1/settings', {});
  const feed = stack.use(openAlertFeed(store));
  const settle = async (timeoutMs: number) => {
    const deadline = performance.now() + timeoutMs;
    const { delivered } = await control<{ delivered: boolean }>('POST', '/v1/flush', { timeoutMs });
    if (!delivered) return false;
    for (;;) {
      const { spool } = await ask<{ spool: { entries: number } }>(statusSocket, 'GET', '/v1/status');
      if (spool.entries === 0) return true;
      if (performance.now() > deadline) return false;
      await sleep(10);
    }
  };
  const owned = stack.move();
  return {
    ...{ backend, settings, feed, control, settle },
    log: () => readFileSync(logFile, 'utf8').split('\n').slice(-40).join('\n'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Started extends AsyncDisposable {
  /** Resolves when the program says on the IPC channel that it is ready; rejects with the log when it never does. */
  readonly ready: Promise<void>;
}

/** How a program is asked to end. */
type End = (child: ChildProcess) => void;

function startProgram(command: string[], logFile: string, end: End): Started {
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, command, { cwd: CHECKOUT, stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  const limit = AbortSignal.timeout(180_000);
  const ready = Promise.race([
    once(child, 'message', { signal: limit }),
    once(child, 'exit', { signal: limit }).then(() => Promise.reject(new Error('it has ended'))),
  ]).then(
    () => {},
    ({ message }: Error) => {
      throw new Error(`picket ${command.join(' ')} did not come up (${message}):\n${readFileSync(logFile, 'utf8')}`);
    },
  );
  ready.catch(() => {});
  return { ready, [Symbol.asyncDispose]: () => stop(child, end) };
}

async function stop(child: ChildProcess, end: End): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  end(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
