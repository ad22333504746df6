import { type StdioOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
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
  try {
    mkdirSync(cgroup, { recursive: true });
  } catch (cause) {
    throw new AgentError(
      'failed',
      `the cgroup ${cgroup} cannot be made: ${(cause as Error).message}; running workloads needs root`,
      { cause },
    );
  }
  try {
    await ask(socket, 'PUT', '/v1/workloads', { ...workload, cgroup, containerId, hostMounts: true });
    return await runIn(cgroup, command, signal, stdio);
  } finally {
    if (isEmpty(cgroup)) {
      await ask(socket, 'DELETE', '/v1/workloads', { containerId }).catch(() => {}); // an agent that has ended knows no workloads
      removeTree(cgroup);
    }
  }
}

function runIn(cgroup: string, command: readonly string[], signal: AbortSignal, stdio: StdioOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn('/bin/sh', ['-c', enter, 'sh', cgroup, ...command], { stdio });
  const stop = (): boolean => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  child.once('error', (cause) =>
    reject(new AgentError('failed', `starting ${command[0]}: ${cause.message}`, { cause })),
  );
  child.once('exit', (code, by) => resolve(code ?? 128 + (by ? constants.signals[by] : 0)));
  return promise.finally(() => signal.removeEventListener('abort', stop));
}

function isEmpty(cgroup: string): boolean {
  return /^populated 0$/m.test(readFileSync(join(cgroup, 'cgroup.events'), 'latin1'));
}

/** With the cgroups that the command made below its own; what somebody has moved into again stays. */
function removeTree(cgroup: string): void {
  try {
    for (const entry of readdirSync(cgroup, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(cgroup, entry.name));
    rmdirSync(cgroup);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EBUSY' && code !== 'ENOENT') throw error;
  }
}
