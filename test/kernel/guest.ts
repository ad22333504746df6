import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from './channel.ts';
import { packCheckout } from './checkout.ts';
import { type Child, startChild } from './child.ts';
import { fetchKernel, type KernelSeries } from './image.ts';
import { buildInitramfs } from './initramfs.ts';
import { type Job, type JobOptions, type JobResult, jobRunner } from './job.ts';
import { qemuArguments } from './qemu.ts';

export interface GuestOptions {
  kernel: KernelSeries;
  /**
   * Guest time counts instructions, 2 ns each, on one processor: repeatable figures on any machine. Measure by
   * differences, and the loop without programs both before and after.
   */
  icount?: boolean;
  /** MiB; default 3072. The guest's root keeps what is written in half of it. */
  memoryMiB?: number;
  /** File system images, read-only, as /dev/vda, /dev/vdb, ... */
  disks?: string[];
  /**
   * Node programs of this checkout that will run in the guest. The checkout is then on a disk: sources and packages needed
   * at run time, as they are now, with these programs compiled. They start in a quarter of the time.
   */
  programs?: string[];
  /** From start to a guest that runs commands; default 120 s. */
  bootTimeoutMs?: number;
}

/**
 * A virtual machine with a real kernel, BPF LSM active, whose root is this machine's root, read-only under an overlay:
 * programs, checkout and node_modules are at their own paths. The host is 10.0.2.2. Root, cgroup v2 at /sys/fs/cgroup,
 * bpffs at /sys/fs/bpf, /run a tmpfs. Disposing ends it at once.
 */
export interface Guest extends AsyncDisposable {
  /** As `uname -r` prints it in the guest. */
  readonly release: string;
  /** A folder at the same path on both sides, writable on both. A file is seen by the other side within a second. */
  readonly share: string;
  /** What kernel and runner printed on the console so far. */
  console(): string;
  /** Runs a shell script (or a program with its arguments) to its end. Rejects on a timeout, resolves with any exit status. */
  run(command: string | string[], options?: JobOptions): Promise<JobResult>;
  /** Starts one and returns while it runs; several run side by side. */
  start(command: string | string[], options?: JobOptions): Job;
}

/** Boots a guest; about 6 s. Needs the Debian packages qemu-system-x86, qemu-system-common, busybox-static, kmod, e2fsprogs. */
export async function bootGuest(options: GuestOptions): Promise<Guest> {
  const kernel = await fetchKernel(options.kernel);
  const initramfs = await buildInitramfs(kernel);
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'picket-guest-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  const share = path('share');
  mkdirSync(share);

  const checkout = options.programs && (await packCheckout(directory, options.programs));
  const channel = stack.use(await listen(path('channel.sock')));
  const shares = [
    { name: 'root', source: '/', cache: 'always' },
    { name: 'share', source: share, cache: 'auto' },
  ] as const;
  const daemons = await Promise.all(
    shares.map(async ({ name, source, cache }) => {
      const socket = path(`${name}.sock`);
      const daemon = stack.use(await startFileSystem(socket, source, cache, path(`${name}.log`)));
      // virtiofsd leaves its pid file behind, named after the socket
      stack.defer(() => rm(`/run/virtiofsd/${socket.slice(1).replaceAll('/', '.')}.pid`, { force: true }));
      return daemon;
    }),
  );
  const qemu = stack.use(
    await startChild('qemu-system-x86_64', qemuArguments({ ...options, kernel, initramfs, checkout, share, path }), {
      log: path('console.log'),
    }),
  );

  const logs = ['root.log', 'share.log', 'console.log'].map(path);
  const console = () => logs.map((log) => readFileSync(log, 'utf8')).join('');
  const fail = (reason: string): never => {
    throw new Error(`guest ${kernel.release}: ${reason}; console:\n${console().split('\n').slice(-40).join('\n')}`);
  };
  const ended = Promise.race([qemu, ...daemons].map((child) => child.ended)).then(fail);
  ended.catch(() => {});
  const bootTimeoutMs = options.bootTimeoutMs ?? 120_000;
  const timer = AbortSignal.timeout(bootTimeoutMs);
  const late = new Promise<never>((_, reject) => {
    timer.onabort = () => {
      try {
        fail(`not up after ${bootTimeoutMs / 1000} s`);
      } catch (error) {
        reject(error);
      }
    };
  });
  const release = await Promise.race([channel.ready, ended, late]);

  // QEMU has it open: a process that is killed leaves no large file behind
  if (checkout) await rm(checkout.image);

  const start = jobRunner({ share, channel, ended, environment: checkout?.environment ?? {} });
  const owned = stack.move();
  return {
    release,
    share,
    console,
    start,
    run: (command, jobOptions) => start(command, jobOptions).result,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts virtiofsd and returns when QEMU may connect. */
function startFileSystem(socket: string, source: string, cache: string, log: string): Promise<Child> {
  const args = [`--socket-path=${socket}`, '-o', `source=${source},cache=${cache},sandbox=chroot`];
  return startChild('/usr/lib/qemu/virtiofsd', args, { log, ready: 'Waiting for vhost-user socket connection' });
}
