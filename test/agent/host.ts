import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { ask } from '../../agent/control/client.ts';
import { gatherFacts } from '../../agent/kernel/facts.ts';
import { judge } from '../../agent/kernel/feature.ts';
import { machineProbes } from '../../agent/kernel/probes.ts';
import type { PolicyResult } from '../../agent/policy/enforcement.ts';
import { type LocalWorkload, runLocal } from '../../agent/workload/local.ts';
import { alertSchema, type VerdictAlert } from '../../otel/alert.ts';
import { Picket, picket } from './picket.ts';

/** Why programs cannot be put into this kernel, or undefined: tests name it when they skip. */
export const missingForHost: string | undefined = (() => {
  const { backend, reason } = judge(gatherFacts(machineProbes), 'tracepoint');
  if (backend === null) return reason;
  return spawnSync('bpftool', ['version']).error === undefined ? undefined : 'bpftool (apt-get install bpftool)';
})();

/** A place for one agent and one collector that meet nobody else's: folders, port, configuration files. */
export class Host implements AsyncDisposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-host-')));
  readonly socket = join(this.folder, 'run', 'agent.sock');
  readonly store = join(this.folder, 'collector', 'alerts.db');
  readonly pins = join(this.folder, 'bpf', 'picket');
  readonly policies = join(this.folder, 'policies');
  readonly #stack = new AsyncDisposableStack();

  /** With `pins` a BPF file system of its own, where the agent's programs stay when it ends. */
  static async make({ pins = false } = {}): Promise<Host> {
    const host = new Host();
    host.#stack.defer(() => rmSync(host.folder, { recursive: true, force: true }));
    if (pins) {
      mkdirSync(host.path('bpf'));
      execFileSync('mount', ['-t', 'bpf', 'bpf', host.path('bpf')]);
      host.#stack.defer(() => void execFileSync('umount', [host.path('bpf')]));
    }
    mkdirSync(host.policies);
    const address = `127.0.0.1:${await freePort()}`;
    host.write('collector.yaml', {
      stateDir: host.path('collector'),
      statusSocket: host.path('run/collector.sock'),
      otlp: { grpc: { address } },
      store: { path: host.store },
    });
    host.write('agent.yaml', {
      stateDir: host.path('agent'),
      runDir: host.path('run'),
      backend: 'tracepoint',
      pins: pins ? host.pins : 'off',
      cluster: 'test',
      hostName: 'this-host',
      policies: { dir: host.policies },
      collector: { endpoint: `http://${address}`, tokenFile: host.path('collector/token'), timeoutMs: 2000 },
    });
    return host;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file (an object as JSON, which YAML takes) and gives its path. */
  write(name: string, content: object | string): string {
    writeFileSync(this.path(name), typeof content === 'string' ? content : JSON.stringify(content));
    return this.path(name);
  }

  /** Starts an agent and waits until it acts. It ends with the host at the latest. */
  async startAgent(): Promise<Picket> {
    const agent = new Picket(['agent', '--config', this.path('agent.yaml')], { ipc: true });
    this.#stack.use(agent);
    await agent.ready();
    return agent;
  }

  async startCollector(): Promise<Picket> {
    const collector = new Picket(['collector', '--config', this.path('collector.yaml')]);
    this.#stack.use(collector);
    await vi.waitUntil(() => collector.stderr.includes('"msg":"ready"') || collector.child.exitCode !== null, {
      timeout: 30_000,
    });
    expect(collector.child.exitCode, collector.stderr).toBeNull();
    return collector;
  }

  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return ask<T>(this.socket, method, path, body);
  }

  /** Puts policies in force; all of them must be taken over. */
  async apply(...policies: object[]): Promise<PolicyResult[]> {
    const { results } = await this.ask<{ results: PolicyResult[] }>('PUT', '/v1/policies', { policies });
    expect(results.map(({ name, status }) => [name, status])).toEqual(results.map(({ name }) => [name, 'Applied']));
    return results;
  }

  /** Runs a shell script as a workload, in this process; its exit status. */
  runScript(script: string, workload: Partial<LocalWorkload> = {}): Promise<number> {
    const named = { namespace: 'demo', pod: 'p', container: 'c', labels: {}, ...workload };
    return runLocal(this.socket, named, ['/bin/sh', '-c', script], {
      signal: new AbortController().signal,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }

  /** `picket run`, as a user types it. */
  run(pod: string, labels: Record<string, string>, script: string, namespace = 'multiubuntu') {
    const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
    const names = ['--namespace', namespace, '--pod', pod, '--container', `${pod}-container`];
    return picket(['run', '--config', this.path('agent.yaml'), ...names, ...flags, '--', '/bin/sh', '-c', script]);
  }

  /** The alerts that `picket alerts --json` shows, of one pod, after everything so far has arrived. Checked by the schema. */
  async alerts(pod: string): Promise<VerdictAlert[]> {
    expect(await this.ask('POST', '/v1/flush', { timeoutMs: 20_000 })).toMatchObject({ delivered: true });
    const status = this.path('run/collector.sock');
    while ((await ask<{ spool: { entries: number } }>(status, 'GET', '/v1/status')).spool.entries > 0) await sleep(10);
    const { stdout, stderr } = await picket([
      'alerts',
      '--json',
      '--store',
      this.store,
      '--pod',
      pod,
      '--limit',
      '1000',
    ]);
    expect(stderr).toBe('');
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => alertSchema.parse(JSON.parse(line)) as VerdictAlert);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** What a process holds in the kernel's BPF system: kinds and ids, such as `prog_id 17`. */
export function bpfObjects(pid: number): string[] {
  const found = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`))
    for (const [, kind, id] of readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').matchAll(
      /^(prog|map|link)_id:\s*(\d+)$/gm,
    ))
      found.add(`${kind} ${id}`);
  return [...found].sort();
}

/** Those of the objects that are still in the kernel. */
export function stillThere(objects: readonly string[]): string[] {
  const alive = new Set<string>();
  for (const kind of ['prog', 'map', 'link'])
    for (const { id } of JSON.parse(execFileSync('bpftool', ['--json', kind, 'show'], { encoding: 'utf8' })) as {
      id: number;
    }[])
      alive.add(`${kind} ${id}`);
  return objects.filter((object) => alive.has(object));
}
