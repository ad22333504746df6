import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Channel } from './channel.ts';

export interface JobOptions {
  /** Default 60 s; then the whole session of the job is killed. */
  timeoutMs?: number;
  /** Default `/`. */
  cwd?: string;
  /** `$1`, `$2`, ... of a script. */
  arguments?: string[];
  /** Added to PATH (this Node first), HOME and LANG. */
  env?: Record<string, string>;
  /** Default: nothing. */
  stdin?: string | Buffer;
}

export interface JobResult {
  /** 128 + signal when a signal ended it. */
  status: number;
  stdout: Buffer;
  stderr: Buffer;
}

/** A command that runs in the guest. */
export interface Job {
  readonly result: Promise<JobResult>;
  /** What it printed so far. */
  output(): { stdout: Buffer; stderr: Buffer };
  /** Kills it with everything in its session. */
  kill(): void;
}

interface Runner {
  share: string;
  channel: Channel;
  /** Rejects when the guest is gone. */
  ended: Promise<never>;
  /** Added to that of every job. */
  environment: Record<string, string>;
}

/** A command did not end in time; carries what it printed until then. */
export class JobTimeoutError extends Error {
  override name = 'JobTimeoutError';
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Returns the function that starts commands in the guest whose runner answers on `channel`. */
export function jobRunner({ share, channel, ended, environment }: Runner) {
  let last = 0;
  return (command: string | string[], options: JobOptions = {}): Job => {
    const id = String(++last);
    const directory = join(share, id);
    const file = (name: string) => join(directory, name);
    mkdirSync(directory);
    const env = {
      PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      ...environment,
      ...options.env,
    };
    const script = [
      ...Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`),
      `set -- ${(options.arguments ?? []).map(quote).join(' ')}`,
      `cd ${quote(options.cwd ?? '/')} || exit`,
      typeof command === 'string' ? command : `exec ${command.map(quote).join(' ')}`,
    ];
    writeFileSync(file('script'), `${script.join('\n')}\n`);
    writeFileSync(file('stdin'), options.stdin ?? '');
    writeFileSync(file('stdout'), '');
    writeFileSync(file('stderr'), '');

    const output = () => ({ stdout: readFileSync(file('stdout')), stderr: readFileSync(file('stderr')) });
    const timeoutMs = options.timeoutMs ?? 60_000;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      channel.kill(id);
      const { stdout, stderr } = output();
      const text = typeof command === 'string' ? command : command.join(' ');
      late.reject(new JobTimeoutError(`${text}: not over after ${timeoutMs / 1000} s; printed:\n${stdout}${stderr}`));
    }, timeoutMs);
    const result = Promise.race([channel.run(id), ended, late.promise])
      .then((status) => ({ status, ...output() }))
      .finally(() => clearTimeout(timer));
    // Whoever starts a job and never looks at its result must not be ended by it.
    result.catch(() => {});
    return { result, output, kill: () => channel.kill(id) };
  };
}
