import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A child process that ends with this one, however this one ends. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with what to say of it when it is over. */
  readonly ended: Promise<string>;
}

interface ChildOptions {
  /** File that its output is appended to. */
  log: string;
  /** Text in the log that says that it is up; without it, up means started. */
  ready?: string;
}

/**
 * Starts a program and returns when it is up; throws with its log when it ends before. The kernel kills it when the
 * thread that started it is gone (PR_SET_PDEATHSIG, by util-linux's setpriv), so a crashed test leaves nothing behind.
 */
export async function startChild(program: string, args: string[], { log, ready }: ChildOptions): Promise<Child> {
  const output = openSync(log, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  await once(child, 'spawn');
  const ended = once(child, 'exit').then(([code, signal]) => `${program} ended with ${signal ?? `status ${code}`}`);
  while (ready && !readFileSync(log, 'utf8').includes(ready)) {
    const how = await Promise.race([ended, sleep(10)]);
    if (how) throw new Error(`${how}: ${readFileSync(log, 'utf8')}`);
  }
  return {
    pid: child.pid as number,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
