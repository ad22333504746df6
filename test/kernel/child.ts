import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

/** A child process that ends with this one, however this one ends. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with what to say of it when it is over. */
  readonly ended: Promise<string>;
}

/**
 * Starts a program whose output goes to a file. The kernel kills it when the thread that started it is gone
 * (PR_SET_PDEATHSIG, by util-linux's setpriv), so a crashed test leaves nothing behind.
 */
export async function startChild(program: string, args: string[], logPath: string): Promise<Child> {
  const log = openSync(logPath, 'a');
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await once(child, 'spawn');
  const ended = once(child, 'exit').then(([code, signal]) => `${program} ended with ${signal ?? `status ${code}`}`);
  return {
    pid: child.pid as number,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
