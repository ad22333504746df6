import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ENVIRONMENT } from './bundle.ts';
import type { Container, Machine } from './container.ts';
import type { Outcome } from './judge.ts';
import type { CommandStep } from './schema.ts';

const COMMAND_LIMIT_MS = 30_000;
const OUTPUT_LIMIT = 1 << 20;

const USERS = {
  root: { uid: 0, home: '/root' },
  user1: { uid: 1000, home: '/home/user1' },
} as const;

export type Command = Pick<CommandStep, 'as' | 'tty' | 'run' | 'exec'>;

/** Runs a command in a container as an exec session is started. */
export function runInContainer(
  machine: Machine,
  container: Container,
  command: Command,
  limitMs?: number,
): Promise<Outcome> {
  const session = machine.sessions === 'runc' ? runcSession : enterSession;
  return runSession(session(machine, container, command), command, limitMs);
}

/** Runs a command on the machine itself; it and what it leaves behind are in `cgroup`. */
export function runOnMachine(machine: Machine, cgroup: string, command: Command): Promise<Outcome> {
  return runSession(enterSession(machine, { cgroup }, command), command);
}

/**
 * Both streams are one pipe, a real one: /dev/stdout can be opened again. Processes left in the background may hold it, so
 * the end is a line of our own, written into the same pipe after the command. With a terminal the session copies what is
 * written there into the pipe.
 */
async function runSession(session: string[], command: Command, limitMs = COMMAND_LIMIT_MS): Promise<Outcome> {
  const marker = `picket-end-${randomBytes(16).toString('hex')}`;
  const script = `{ "$@"; echo "${marker} $?"; } </dev/null 2>&1 | cat`;
  const child = spawn('sh', ['-c', script, 'sh', ...session], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });

  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const chunks: Buffer[] = [];
  const end = new RegExp(`${marker} (\\d+)\\n`);
  let tail = '';
  child.on('error', reject);
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    tail = (tail + chunk.toString('latin1')).slice(-256);
    const status = end.exec(tail)?.[1];
    if (status !== undefined) resolve(Number(status));
  });
  const timer = setTimeout(() => resolve(undefined), limitMs);
  const status = await promise.finally(() => clearTimeout(timer));
  // What the command left in the background goes on until the case ends, so its output still has to go somewhere.
  child.stdout.removeAllListeners('data').resume();
  if (status === undefined && child.pid) process.kill(-child.pid, 'SIGKILL');

  const written = Buffer.concat(chunks).toString('utf8').replace(end, '');
  const text = command.tty ? written.replaceAll('\r', '') : written;
  return asShell(programOf(command)[0] as string, { status, output: text.slice(0, OUTPUT_LIMIT) });
}

function programOf({ run, exec }: Command): string[] {
  return exec ?? ['/bin/sh', '-c', String(run)];
}

const environmentOf = ({ as }: Command): string[] => [...ENVIRONMENT, `HOME=${USERS[as].home}`];

function enterSession(machine: Machine, where: { cgroup: string; pid?: number }, command: Command): string[] {
  return [
    ...[machine.enter, ...(command.tty ? ['-t'] : []), '-c', where.cgroup],
    ...(where.pid === undefined ? [] : ['-p', String(where.pid)]),
    ...['-u', String(USERS[command.as].uid), ...environmentOf(command), '--', ...programOf(command)],
  ];
}

function runcSession(machine: Machine, container: Container, command: Command): string[] {
  const { uid } = USERS[command.as];
  const pidFile = join(container.directory, `session-${randomBytes(4).toString('hex')}`);
  const terminal = `${pidFile}.tty`;
  return [
    ...[machine.shim, ...(command.tty ? ['-t', terminal] : []), pidFile, 'runc', ...container.runcArguments],
    ...['exec', '--detach', ...(command.tty ? ['--tty', '--console-socket', terminal] : [])],
    ...['--pid-file', pidFile, '--cwd', '/', '--user', `${uid}:${uid}`],
    ...environmentOf(command).flatMap((variable) => ['--env', variable]),
    ...[container.id, ...programOf(command)],
  ];
}

/** What the runtime says of a first exec that failed, in the words and with the status of a shell. */
function asShell(program: string, outcome: Outcome): Outcome {
  const said =
    /^(?:.*(?:exec failed|OCI runtime)\b.*|exec \S+: )(permission denied|no such file or directory|not found).*\n?/m.exec(
      outcome.output,
    );
  if (!said || !outcome.status) return outcome;
  const [status, message] = said[1] === 'permission denied' ? [126, 'Permission denied'] : [127, 'not found'];
  return { status, output: outcome.output.replace(said[0], `${program}: ${message}\n`) };
}
