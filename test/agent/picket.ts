import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';

export const program = new URL('../../agent/picket.ts', import.meta.url).pathname;

/** `picket …` as a child process. What it writes is collected. */
export class Picket implements AsyncDisposable {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: { env?: NodeJS.ProcessEnv; ipc?: boolean; uid?: number } = {}) {
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? ['ipc' as const] : [])],
      env: { ...process.env, ...options.env },
      ...(options.uid !== undefined && { uid: options.uid }),
    });
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
  }

  /** The message "ready" over the IPC channel, or an error with what it wrote when it ended before. */
  async ready<T = { kind: 'ready' }>(): Promise<T> {
    const ended = this.end().then((status) => {
      throw new Error(`it ended with ${status} before it was ready:\n${this.stderr}`);
    });
    ended.catch(() => {}); // it ends one day
    const [message] = (await Promise.race([once(this.child, 'message'), ended])) as [T];
    return message;
  }

  /** Exit status, or the signal that ended it; everything it wrote is there by then. */
  async end(): Promise<number | string> {
    const { child } = this;
    const written = [child.stdout, child.stderr].map((stream) => stream && finished(stream).catch(() => {}));
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await Promise.all(written);
    return child.exitCode ?? child.signalCode ?? '';
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal);
    return this.end();
  }

  /** Asks it to end first: what it started in its place would outlive a kill. */
  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.stop('SIGTERM');
    clearTimeout(timer);
  }
}

/** Runs `picket …` to its end. */
export async function picket(
  args: readonly string[],
  options: ConstructorParameters<typeof Picket>[1] = {},
): Promise<{ status: number | string; stdout: string; stderr: string }> {
  await using run = new Picket(args, options);
  const status = await run.end();
  return { status, stdout: run.stdout, stderr: run.stderr };
}
