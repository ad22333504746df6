import { type StdioOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ask } from '../control/client.ts';
import { AgentError } from '../error.ts';
import { cgroup2Mount } from './cgroup.ts';

/** How a local workload is named; it lives in the mount namespace of whoever starts it. */
export interface LocalWorkload {
  namespace: string;
  pod: string;
  container: string;
  labels: Record<string, string>;
  image?: string;
}

export interface LocalOptions {
  signal: AbortSignal;
  stdio: StdioOptions;
}

/** The shell puts itself into the cgroup; what it then becomes is the workload's first program. */
const enter = 'echo 0 > "$1/cgroup.procs" || exit 125; shift; exec "$@"';

/**
 * Runs a command in a cgroup of its own, registered with the agent before its first instruction. Returns its exit status,
 * 128 + signal when a signal ended it. The workload ends with the command; processes that it leaves behind stay under the
 * rules as long as they live.
 *
 * @throws AgentError `not-running`, `workload`, `not-supported`
 */
export async function runLocal(
  socket: string,
  workload: LocalWorkload,
  command: readonly string[],
  { signal, stdio }: LocalOptions,
): Promise<number> {
  const mount = cgroup2Mount();
  if (mount === undefined)
    throw new AgentError('not-supported', 'no cgroup v2 is mounted here; "picket doctor" says what to do');
  const containerId = randomBytes(32).toString('hex');
  const cgroup = join(mount, 'picket', containerId);
  mkdirSync(cgroup, { recursive: true });
  try {
    await ask(socket, 'PUT', '/v1/workloads', { ...workload, cgroup, containerId, hostMounts: true });
    return await runIn(cgroup, command, signal, stdio);
  } finally {
    if (isEmpty(cgroup)) {
      await ask(socket, 'DELETE', '/v1/workloads', { containerId }).catch(() => {}); // an agent that has ended knows no workloads
      rmdirSync(cgroup);
    }
  }
}

function runIn(cgroup: string, command: readonly string[], signal: AbortSignal, stdio: StdioOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn('/bin/sh', ['-c', enter, 'sh', cgroup, ...command], { stdio });
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  child.once('error', (cause) =>
    reject(new AgentError('failed', `starting ${command[0]}: ${cause.message}`, { cause })),
  );
  child.once('exit', (code, by) => resolve(code ?? 128 + (by ? constants.signals[by] : 0)));
  return promise;
}

function isEmpty(cgroup: string): boolean {
  return /^populated 0$/m.test(readFileSync(join(cgroup, 'cgroup.events'), 'latin1'));
}
