import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROGRAMS } from '../conformance/product.ts';
import { compiled } from '../image/compile.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { KernelSeries } from '../kernel/image.ts';
import type { Answers, Greeting, Request } from './driver.ts';
import { encodeSteps, type Step } from './records.ts';

const driver = join(import.meta.dirname, 'driver.ts');

/** A running driver: in a guest, or beside us on this machine's own kernel. */
export interface Bench extends AsyncDisposable, Greeting {
  ask<K extends Request['kind']>(request: Extract<Request, { kind: K }>): Promise<Answers[K]>;
  /** One result per step. `quiet`: see the driver. */
  run(steps: readonly Step[], quiet?: boolean): Promise<number[]>;
}

export async function openBench(kernel: KernelSeries | 'host'): Promise<Bench> {
  await using stack = new AsyncDisposableStack();
  const exerciser = await compiled(join(import.meta.dirname, 'exerciser.c'));
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const connected = once(server, 'connection') as Promise<[Socket]>;

  let ended: Promise<never>;
  if (kernel === 'host') {
    const child = spawn(process.execPath, [driver, exerciser, `127.0.0.1:${port}`], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    stack.defer(() => gone(child));
    ended = once(child, 'exit').then(([status]) => Promise.reject(new Error(`the driver ended with ${status}`)));
  } else {
    const guest = stack.use(await bootGuest({ kernel, programs: [driver, ...PROGRAMS] }));
    const job = guest.start([process.execPath, driver, exerciser, `10.0.2.2:${port}`], { timeoutMs: 4 * 3_600_000 });
    ended = job.result.then(({ status, stderr }) =>
      Promise.reject(new Error(`the driver ended with ${status}:\n${stderr}`)),
    );
  }
  ended.catch(() => {});
  const [socket] = await Promise.race([connected, ended]);
  socket.setNoDelay(true);
  // the driver ends when its connection does
  stack.defer(() => void socket.end());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { value, done } = await lines.next(); // the connection ends when the driver does
    return done ? ended : JSON.parse(value);
  };
  const greeting = await next<Greeting>();
  const ask: Bench['ask'] = async (request) => {
    socket.write(`${JSON.stringify(request)}\n`);
    const { answer, error } = await next<{ answer: never; error?: string }>();
    if (error !== undefined) throw new Error(error);
    return answer;
  };
  const run = async (steps: readonly Step[], quiet = false) => {
    if (steps.length === 0) return [];
    const bytes = encodeSteps(steps).toString('base64');
    const { results } = await ask({ kind: 'steps', steps: bytes, count: steps.length, quiet });
    const view = Buffer.from(results, 'base64');
    return steps.map((_, index) => view.readInt32LE(index * 4));
  };
  const owned = stack.move();
  return { ...greeting, ask, run, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await once(child, 'exit');
  clearTimeout(timer);
}
