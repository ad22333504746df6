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
  /** How exec sessions are started: by runc, or by enter.c where runc's sessions would stay outside the v2 cgroup. */
  sessions: { kind: 'runc'; shim: string } | { kind: 'enter'; enter: string };
}

/** A running container of the fixture: real runc, an overlay of its own over the image, an idle first process. */
export interface Container extends AsyncDisposable {
  readonly id: string;
  /** Absolute path of its cgroup v2. */
  readonly cgroup: string;
  /** Of the first process. */
  readonly pid: number;
  /** Bundle and writable layer. */
  readonly directory: string;
  readonly runcArguments: string[];
}

export async function startContainer(
  machine: Machine,
  hostname: string,
  networkNamespace?: string,
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
  const config = bundleConfig({ rootfs: path('rootfs'), hostname, cgroupsPath: `/${name}`, networkNamespace });
  writeFileSync(path('config.json'), JSON.stringify(config));
  const runcArguments = ['--root', join(machine.directory, 'runc')];
  const run = [...runcArguments, 'run', '--detach', '--bundle', directory, '--pid-file', path('pid'), id];
  stack.defer(async () => void (await runCommand('runc', [...runcArguments, 'delete', '--force', id])));
  await runDetached(run, machine.cgroups.unified ? undefined : makeCgroup(machine.cgroups, name), path('log'));

  const owned = stack.move();
  return {
    id,
    cgroup,
    pid: Number(readFileSync(path('pid'), 'utf8')),
    directory,
    runcArguments,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * Starts the container. Its first process inherits the streams, so they are files. Where runc does not place it in the
 * v2 hierarchy, it inherits that cgroup from the shell that becomes runc.
 */
async function runDetached(run: string[], cgroup: string | undefined, log: string): Promise<void> {
  const enter = cgroup ? 'echo $$ >"$0/cgroup.procs" || exit; ' : '';
  const script = `${enter}exec runc "$@" </dev/null >"$LOG" 2>&1`;
  const env = { ...process.env, LOG: log };
  await runCommand('sh', ['-c', script, cgroup ?? 'sh', ...run], { env }).catch((error) => {
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    throw new Error(`${(error as Error).message}\n${text}`, { cause: error });
  });
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
