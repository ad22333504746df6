import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../agent/control/client.ts';
import type { Backend } from '../../agent/kernel/feature.ts';
import { PinFolder } from '../../agent/kernel/pins.ts';
import { cgroup2Mount } from '../../agent/workload/cgroup.ts';
import { compiled } from '../image/compile.ts';
import { CHECKOUT } from '../kernel/checkout.ts';

/** How much is to happen while the hammer works. */
export interface HammerScale {
  tries: number;
  updates: number;
  restarts: number;
  kills: number;
}

export interface HammerOptions {
  /** For everything that is made; short-lived. */
  folder: string;
  /** In a BPF file system. */
  pins: string;
  backend: Backend;
  scale: HammerScale;
  /** Programs of agents of other builds, which take over from each other in this order, and from the one of this checkout. */
  others: string[];
  say(text: string): void;
}

export interface HammerReport extends HammerScale {
  backend: string;
  /** Forbidden things that worked. */
  worked: number;
  /** Allowed things that did not, and the errno of the last. */
  refused: number;
  error: number;
  /** Folders of pins after each start of an agent of another build. */
  upgrades: string[][];
  unnamed: number;
  /** Pins after `picket unload`. */
  left: string[];
}

const programs = ['hammer.c', 'nothing.c'].map((name) => join(import.meta.dirname, name));

/** Compiles what runs in the workload; in a guest it is found in the cache. */
export function compileHammer(): Promise<string[]> {
  return Promise.all(programs.map((source) => compiled(source)));
}

interface Status {
  backend: string;
  generation: number;
  pins: { adopted: boolean; others: string[] };
  ledger: { unread: { unnamed: number } };
}

/**
 * A task tries what is forbidden and what is allowed, as fast as it can, while policies are updated, the agent is stopped, killed
 * and replaced by agents of other builds. With BPF LSM it opens files; the tracepoint backend kills whoever does what is
 * forbidden, so there it starts programs in child processes.
 */
export async function hammer(options: HammerOptions): Promise<HammerReport> {
  const { folder, pins, backend, scale, others, say } = options;
  const path = (name: string): string => join(folder, name);
  const [tool = '', nothing = ''] = await compileHammer();
  await using stack = new AsyncDisposableStack();
  for (const name of ['forbidden', 'allowed', 'forbidden-program']) copyFileSync(nothing, path(name));
  copyFileSync(tool, path('hammer'));
  const cgroup = join(cgroup2Mount() ?? '', `picket-hammer-${process.pid}`);
  mkdirSync(cgroup);
  stack.defer(() => rmdirSync(cgroup));
  writeFileSync(
    path('agent.yaml'),
    JSON.stringify({
      ...{ stateDir: path('state'), runDir: path('run'), backend, pins },
      // A million alerts are not what this is about: most are lost in a small ring that is seldom emptied, and counted.
      rings: { denyBytes: 65536, auditBytes: 65536, drainEveryMs: 1000 },
      collector: { endpoint: 'http://127.0.0.1:9', tokenFile: path('token') },
    }),
  );
  writeFileSync(path('counts'), Buffer.alloc(4096));
  const socket = path('run/agent.sock');
  const main = join(CHECKOUT, 'agent/picket.ts');
  let agent = stack.use(new AgentProcess(main, path('agent.yaml')));
  await agent.ready;
  let version = 0;
  const update = (): Promise<unknown> =>
    ask(socket, 'PUT', '/v1/policies', { policies: [policy(folder, backend, version++)] });
  const start = async (program: string): Promise<Status> => {
    agent = stack.use(new AgentProcess(program, path('agent.yaml')));
    await agent.ready;
    return ask<Status>(socket, 'GET', '/v1/status');
  };
  await update();
  const names = { namespace: 'demo', pod: 'hammer', container: 'hammer', labels: {} };
  await ask(socket, 'PUT', '/v1/workloads', { ...names, containerId: 'hammer', cgroup, hostMounts: true });

  const counts = (): [tries: number, worked: number, refused: number, error: number] => {
    const bytes = readFileSync(path('counts'));
    const word = (index: number): number => Number(bytes.readBigUInt64LE(index * 8));
    return [word(0), word(1), word(2), word(3)];
  };
  const what = backend === 'lsm' ? 'open' : 'exec';
  const words = [path('counts'), cgroup, what, path('forbidden'), path('allowed'), path('forbidden-program')];
  const child = spawn(path('hammer'), words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const progress = async (more: number): Promise<void> => {
    const goal = counts()[0] + more;
    while (counts()[0] < goal) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the hammer ended with ${child.exitCode ?? child.signalCode} after ${counts()}`);
      await sleep(5);
    }
  };
  await progress(10);
  say(`begun: ${counts()}`);

  const { restarts, kills, updates } = scale;
  const upgrades: string[][] = [];
  const between = Math.ceil(updates / (restarts + kills + 3));
  const someUpdates = async (): Promise<void> => {
    for (let i = 0; i < between && version <= updates; i++) await update();
  };
  for (let i = 0; i < restarts; i++) {
    await someUpdates();
    await agent.stop('SIGTERM');
    await progress(5);
    await start(main);
    say(`restart ${i + 1}: ${counts()}`);
  }
  let startMs = 2000;
  for (let i = 0; i < kills; i++) {
    await someUpdates();
    if (i % 2 === 0) {
      // In the middle of an update.
      const asked = update().catch(() => {});
      await sleep(Math.random() * 20);
      await agent.stop('SIGKILL');
      await asked;
    } else {
      // In the middle of a start.
      await agent.stop('SIGKILL');
      const half = stack.use(new AgentProcess(main, path('agent.yaml')));
      await sleep(Math.random() * startMs);
      await half.stop('SIGKILL');
    }
    await progress(5);
    const before = performance.now();
    await start(main);
    startMs = performance.now() - before;
  }
  say(`${kills} kills: ${counts()}`);
  for (const program of [...others, main]) {
    await someUpdates();
    await agent.stop('SIGKILL');
    await progress(5);
    await start(program);
    upgrades.push(new PinFolder(pins).sets.map((set) => set.path.slice(pins.length + 1)));
    await progress(5);
  }
  say(`upgrades: ${counts()}`);
  while (version <= updates) await update();
  await progress(Math.max(0, scale.tries - counts()[0]));
  child.kill('SIGTERM');
  await ended;
  const { backend: used, ledger } = await ask<Status>(socket, 'GET', '/v1/status');
  await ask(socket, 'POST', '/v1/unload');
  await agent.end;
  const [tries, worked, refused, error] = counts();
  const left = readdirSync(join(pins, '..')).filter((name) => !name.endsWith('.debug'));
  return {
    ...{ backend: used, tries, worked, refused, error, updates: version, restarts, kills, upgrades, left },
    unnamed: ledger.unread.unnamed,
  };
}

/**
 * Forbids `forbidden` and allows `allowed` in whatever version, by turns with a Block rule among others and with an allow-list
 * that names the one and not the other.
 */
function policy(folder: string, backend: Backend, version: number): object {
  const others = Array.from({ length: version % 5 }, (_, i) => ({ path: `/opt/other-${version}-${i}` }));
  const path = (name: string) => ({ path: join(folder, name) });
  const isList = version % 2 === 1;
  const programs = isList
    ? [path('allowed'), path('hammer'), ...others]
    : [path('forbidden'), path('forbidden-program'), ...others];
  const files = isList ? [path('allowed'), path('counts'), ...others] : [path('forbidden'), ...others];
  return {
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name: 'hammered', namespace: 'demo' },
    spec: {
      ...(backend === 'lsm' && { file: { matchPaths: files } }),
      process: { matchPaths: programs },
      action: isList ? 'Allow' : 'Block',
    },
  };
}

/** `picket agent`, from whatever copy of the sources. */
class AgentProcess implements AsyncDisposable {
  readonly ready: Promise<void>;
  readonly end: Promise<unknown>;
  readonly #child: ChildProcess;

  constructor(program: string, config: string) {
    let log = '';
    this.#child = spawn(process.execPath, [program, 'agent', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (chunk) => {
      log = `${log}${chunk}`.slice(-20_000);
    });
    this.end = once(this.#child, 'exit');
    this.ready = Promise.race([
      once(this.#child, 'message').then(() => {}),
      this.end.then(() => {
        throw new Error(`the agent of ${program} ended before it was ready:\n${log}`);
      }),
    ]);
    this.ready.catch(() => {}); // some are killed before
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop('SIGKILL');
  }
}
