// Runs beside the kernel that is tested, in a guest or here: starts agent, collector and exerciser, and carries out what
// the comparing side (test/reference/bench.ts) tells it over one TCP connection, a line of JSON each way per request.
//
// node driver.ts EXERCISER HOST:PORT
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../otel/alert.ts';
import { findCgroupRoot, makeCgroup, removeCgroup } from '../conformance/cgroup.ts';
import { type Product, startProduct } from '../conformance/product.ts';

/** Steps for the exerciser, base64 of what `encodeSteps` gives; the answer: base64 of a 32-bit result each. */
interface Steps {
  kind: 'steps';
  steps: string;
  count: number;
  /** Agent and collector stand still meanwhile: they work off in one go what happens, instead of waking up for each event. */
  quiet: boolean;
}

export interface PolicyStatus {
  name: string;
  status: string;
  diagnostics: { level: string; code: string; field: string; message: string }[];
}

export type Request =
  | Steps
  | { kind: 'workload'; record: object }
  | { kind: 'rules'; settings: object; workload: object; policies: object[] }
  | { kind: 'alerts' };

export interface Answers {
  steps: { results: string };
  workload: { generation: number };
  rules: { statuses: PolicyStatus[] };
  /** Those since the last time. */
  alerts: { alerts: Alert[] };
}

/** What the driver says first. */
export interface Greeting {
  release: string;
  backend: string;
}

type Exerciser = ChildProcessByStdio<Writable, Readable, null>;

class Driver {
  readonly #product: Product;
  readonly #exerciser: Exerciser;
  readonly #cgroup: string;
  readonly #ended: Promise<never>;
  #applied: { kind: string; name: string; namespace?: string }[] = [];
  #received = Buffer.alloc(0);

  constructor(product: Product, exerciser: Exerciser, cgroup: string) {
    this.#product = product;
    this.#exerciser = exerciser;
    this.#cgroup = cgroup;
    this.#ended = once(exerciser, 'exit').then(([status]) => {
      throw new Error(`the exerciser ended with ${status}`);
    });
    this.#ended.catch(() => {}); // it ends one day
    exerciser.stdout.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
  }

  async answer(request: Request): Promise<Answers[Request['kind']]> {
    switch (request.kind) {
      case 'steps':
        return { results: await this.#runQuietly(request) };
      case 'workload':
        return this.#product.control('PUT', '/v1/workloads', { cgroup: this.#cgroup, ...request.record });
      case 'rules':
        return { statuses: await this.#change(request) };
      case 'alerts':
        if (!(await this.#product.settle(30_000))) throw new Error('alerts do not arrive');
        return { alerts: this.#product.feed.read() };
    }
  }

  async #runQuietly({ steps, count, quiet }: Steps): Promise<string> {
    const others = quiet ? this.#others() : [];
    for (const pid of others) process.kill(pid, 'SIGSTOP');
    try {
      return await this.#run(Buffer.from(steps, 'base64'), count * 4);
    } finally {
      for (const pid of others) process.kill(pid, 'SIGCONT');
    }
  }

  /** The programs that we started beside the exerciser. */
  #others(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => pid !== this.#exerciser.pid && parentOf(pid) === process.pid);
  }

  async #run(steps: Buffer, bytes: number): Promise<string> {
    this.#exerciser.stdin.write(steps);
    while (this.#received.length < bytes) await Promise.race([once(this.#exerciser.stdout, 'data'), this.#ended]);
    const results = this.#received.subarray(0, bytes).toString('base64');
    this.#received = this.#received.subarray(bytes);
    return results;
  }

  async #change({ settings, workload, policies }: Extract<Request, { kind: 'rules' }>): Promise<PolicyStatus[]> {
    const { control } = this.#product;
    // each change resolves and compiles all policies that are there: so there are none until the last
    if (this.#applied.length > 0) await control('DELETE', '/v1/policies', { policies: this.#applied });
    this.#applied = [];
    await control('PUT', '/v1/settings', settings);
    await control('PUT', '/v1/workloads', { cgroup: this.#cgroup, ...workload });
    if (policies.length === 0) return [];
    const { results } = await control<{ results: PolicyStatus[] }>('PUT', '/v1/policies', { policies });
    this.#applied = (policies as { kind: string; metadata: { name: string; namespace?: string } }[]).map(
      ({ kind, metadata: { name, namespace } }) => ({ kind, name, ...(namespace !== undefined && { namespace }) }),
    );
    return results;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    // after the name, which may hold anything: state, parent
    return Number(/.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined; // it has ended
  }
}

async function main(program: string, address: string): Promise<void> {
  const [host = '', port] = address.split(':');
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'picket-reference-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const cgroup = makeCgroup(findCgroupRoot(), `picket-reference-${process.pid}`);
  stack.defer(() => emptied(cgroup));
  const product = stack.use(await startProduct(join(directory, 'product')));
  const root = join(directory, 'root');
  mkdirSync(root);
  const exerciser = spawn(program, ['--director', join(cgroup, 'cgroup.procs'), root], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(async () => {
    exerciser.stdin.end();
    if (exerciser.exitCode === null && exerciser.signalCode === null) await once(exerciser, 'exit');
  });
  const driver = new Driver(product, exerciser, cgroup);

  const { kernel, backend } = await product.control<{ kernel: string; backend: string }>('GET', '/v1/status');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const say = (value: object) => socket.write(`${JSON.stringify(value)}\n`);
  say({ release: kernel, backend } satisfies Greeting);
  for await (const line of createInterface({ input: socket }))
    try {
      say({ answer: await driver.answer(JSON.parse(line)) });
    } catch (error) {
      say({ error: `${(error as Error).message}\n${product.log()}` });
    }
}

async function emptied(cgroup: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return removeCgroup(cgroup);
    } catch (error) {
      if (attempt === 100) throw error;
    }
    await sleep(20);
  }
}

if (import.meta.main) {
  const [program = '', address] = process.argv.slice(2);
  if (address === undefined) {
    process.stdout.write('usage: driver.ts EXERCISER HOST:PORT\n');
    process.exit(program === '--help' ? 0 : 2);
  }
  await main(program, address);
}
