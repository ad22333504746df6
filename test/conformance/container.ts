import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../kernel/command.ts';
import { bundleConfig } from './bundle.ts';
import { type CgroupRoot, makeCgroup, removeCgroup } from './cgroup.ts';

/** What containers of one run share. */
export interface Machine {
  /** The image's root file system, never written to. */
  image: string;
  /** A folder on a tmpfs for writable layers and bundles. */
  directory: string;
  cgroups: CgroupRoot;
  /** Name of the cgroup that holds those of this run. */
  cgroupParent: string;
  /**
   * How exec sessions of containers are started: by runc, or by enter.c, which is several times as fast in a guest, and the
   * only way where runc's sessions would stay outside the v2 cgroup.
   */
  sessions: 'runc' | 'enter';
  /** The compiled programs. */
  enter: string;
  shim: string;
}

interface ContainerOptions {
  hostname: string;
  /** Of the pod, when another container of it has one already. */
  networkNamespace?: string | undefined;
  /** The first process: a program that does nothing until the end. */
  idle: readonly string[];
  /** Called when there is a cgroup and nothing in it yet. */
  announce?: ((container: Prepared) => Promise<void>) | undefined;
}

/** What there is of a container before anything runs in it. */
export interface Prepared {
  readonly id: string;
  /** Absolute path of its cgroup v2. */
  readonly cgroup: string;
  /** Its root directory, as the node sees it. */
  readonly root?: string;
}

/** The rules in force do not let the first program run. */
export class FirstProgramRefused extends Error {
  override name = 'FirstProgramRefused';
}

/** A running container of the fixture: real runc, an overlay of its own over the image, an idle first process. */
export interface Container extends AsyncDisposable, Omit<Prepared, 'root'> {
  /** Of the first process. */
  readonly pid: number;
  /** Bundle and writable layer. */
  readonly directory: string;
  readonly runcArguments: string[];
}

/** Starts one and waits until its first program runs. @throws FirstProgramRefused */
export async function startContainer(
  machine: Machine,
  { hostname, networkNamespace, idle, announce }: ContainerOptions,
): Promise<Container> {
  const id = randomBytes(32).toString('hex');
  await using stack = new AsyncDisposableStack();
  const directory = join(machine.directory, id.slice(0, 12));
  const path = (name: string) => join(directory, name);
  for (const name of ['upper', 'work', 'rootfs']) mkdirSync(path(name), { recursive: true });
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  await runCommand('mount', [
    ...['-t', 'overlay', 'picket-fixture', '-o'],
    `lowerdir=${machine.image},upperdir=${path('upper')},workdir=${path('work')}`,
    path('rootfs'),
  ]);
  stack.defer(async () => void (await runCommand('umount', ['-l', path('rootfs')])));

  const name = `${machine.cgroupParent}/${id}`;
  const cgroup = join(machine.cgroups.path, name);
  stack.defer(() => emptied(cgroup));
  makeCgroup(machine.cgroups, name);
  const rootfs = path('rootfs');
  await announce?.({ id, cgroup, root: rootfs });
  const config = bundleConfig({ rootfs, hostname, cgroupsPath: `/${name}`, networkNamespace, args: [...idle] });
  writeFileSync(path('config.json'), JSON.stringify(config));
  const runcArguments = ['--root', join(machine.directory, 'runc')];
  const runc = (...words: string[]) => runDetached([...runcArguments, ...words], path('log'));
  const created = ['--bundle', directory, '--pid-file', path('pid'), id];
  stack.defer(async () => void (await runCommand('runc', [...runcArguments, 'delete', '--force', id])));
  if (machine.cgroups.unified) await runc('run', '--detach', ...created);
  else {
    // runc knows nothing of the v2 hierarchy: its process enters the cgroup when all is set up but the first program.
    await runc('create', ...created);
    writeFileSync(join(cgroup, 'cgroup.procs'), readFileSync(path('pid')));
    await runc('start', id);
  }
  const pid = Number(readFileSync(path('pid'), 'utf8'));
  await untilRunning(pid, idle);

  const owned = stack.move();
  return {
    id,
    cgroup,
    pid,
    directory,
    runcArguments,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Runs runc. The first process of a container inherits the streams, so they are files. */
async function runDetached(words: string[], log: string): Promise<void> {
  const env = { ...process.env, LOG: log };
  await runCommand('sh', ['-c', 'exec runc "$@" </dev/null >>"$LOG" 2>&1', 'sh', ...words], { env }).catch((error) => {
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    throw new Error(`${(error as Error).message}\n${text}`, { cause: error });
  });
}

/** Until then the process is runc's, which says nothing any more when its exec is refused. */
async function untilRunning(pid: number, command: readonly string[]): Promise<void> {
  const read = (name: string) => (existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/${name}`, 'utf8') : '');
  for (const until = performance.now() + 30_000; performance.now() < until; await sleep(5)) {
    if (read('cmdline') === `${command.join('\0')}\0`) return;
    if (/^$|\) [ZX] /.test(read('stat'))) throw new FirstProgramRefused(`${command.join(' ')} has ended`);
  }
  throw new Error(`${command.join(' ')} does not run after 30 s`);
}

/** Removes a cgroup when the processes that were killed in it have ended. */
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
