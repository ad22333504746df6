import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';

const MAIN = new URL('../../collector/main.ts', import.meta.url).pathname;

/** collector/main.ts as a child process. What it writes is collected. */
export class Main implements AsyncDisposable {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: { env?: NodeJS.ProcessEnv; readyFd?: boolean; ipc?: boolean } = {}) {
    const extra = options.ipc ? ['ipc' as const] : options.readyFd ? ['pipe' as const] : [];
    this.child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', ...extra],
      env: { ...process.env, ...options.env },
    });
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
  }

  /** The line on file descriptor 3. */
  async ready(): Promise<{ address: string; sinks: string[]; statusSocket: string }> {
    const lines = createInterface(this.child.stdio[3] as NodeJS.ReadableStream);
    for await (const line of lines) return JSON.parse(line);
    throw new Error(`it ended before it was ready: ${this.stderr}`);
  }

  /** Exit code, or the signal that ended it; everything it wrote is there by then. */
  async end(): Promise<number | string> {
    const { child } = this;
    // Not 'close': it never comes when this side has closed the IPC channel.
    const written = [child.stdout, child.stderr].map((stream) => stream && finished(stream).catch(() => {}));
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await Promise.all(written);
    return child.exitCode ?? child.signalCode ?? '';
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal);
    return this.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** `GET` on a Unix socket. */
export async function get(socketPath: string, path: string): Promise<{ status: number; body: unknown }> {
  const [response] = await once(request({ socketPath, path }).end(), 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, body: JSON.parse(text) };
}
