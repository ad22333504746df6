import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT } from './checkout.ts';
import { bootGuest, type Guest } from './guest.ts';
import { JobTimeoutError } from './job.ts';

const shell = join(import.meta.dirname, 'shell.ts');

describe('bootGuest() with kernel 6.1', () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await bootGuest({ kernel: '6.1', programs: [shell] });
  });
  afterAll(() => guest?.[Symbol.asyncDispose]());

  const text = async (command: string) => String((await guest.run(command)).stdout).trim();

  test('boots the Debian kernel it was asked for, with BPF LSM and BTF', async () => {
    expect(guest.release).toMatch(/^6\.1\.0-\d+-cloud-amd64$/);
    expect(await text('uname -r')).toBe(guest.release);
    expect((await text('cat /sys/kernel/security/lsm')).split(',')).toContain('bpf');
    expect(Number(await text('stat -c %s /sys/kernel/btf/vmlinux'))).toBeGreaterThan(1_000_000);
  });

  test('has cgroup v2 at /sys/fs/cgroup, bpffs, devpts and loopback', async () => {
    const types = await text('stat -f -c %T /sys/fs/cgroup /sys/fs/bpf /dev/pts /run');
    expect(types.split('\n')).toEqual(['cgroup2fs', 'bpf_fs', 'devpts', 'tmpfs']);
    expect(await text('mkdir /sys/fs/cgroup/made && cat /sys/fs/cgroup/made/cgroup.procs; echo $?')).toBe('0');
    expect(await text('busybox ip addr show lo')).toContain('127.0.0.1');
  });

  test('runs the Node of this process', async () => {
    expect(await text('node --version')).toBe(process.version);
  });

  test('runs programs of the checkout from a disk that holds what they need, compiled', async () => {
    expect(await text(`stat -f -c %T ${CHECKOUT}`)).toBe('ext2/ext3');
    expect(await text(`find $NODE_COMPILE_CACHE -type f | head -n 1`)).not.toBe('');
    expect(await text(`node ${shell} --help`)).toContain('Usage: node test/kernel/shell.ts');
  });

  test('Guest.run() passes exit status, both outputs and input through, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, i) => i & 255));
    const result = await guest.run('cat; printf "a\\0b" >&2; exit 7', { stdin: bytes });
    expect(result.status).toBe(7);
    expect(result.stdout.equals(bytes)).toBe(true);
    expect(result.stderr.equals(Buffer.from('a\0b'))).toBe(true);
  });

  test('Guest.run() passes a list on without a shell, folder and environment with it', async () => {
    const { stdout } = await guest.run(['sh', '-c', 'echo "$0|$1|$PWD|$COLOUR"', "it's", '$HOME *'], {
      cwd: '/usr/lib',
      env: { COLOUR: "r'ed" },
    });
    expect(String(stdout)).toBe("it's|$HOME *|/usr/lib|r'ed\n");
  });

  test('Guest.run() reports a signal as 128 + its number', async () => {
    expect((await guest.run('kill -SEGV $$')).status).toBe(139);
  });

  test('Guest.start() runs commands side by side and kills a whole session', async () => {
    const waiting = guest.start('sleep 600 & echo started; sleep 600');
    while (!waiting.output().stdout.length) await sleep(50);
    expect(await text('busybox pidof sleep | wc -w')).toBe('2');
    waiting.kill();
    expect((await waiting.result).status).toBe(137);
    expect(await text('busybox pidof sleep | wc -w')).toBe('0');
  });

  test('Guest.run() rejects when the time is over and leaves nothing running', async () => {
    const error = await guest.run('echo before; sleep 600', { timeoutMs: 1500 }).catch((reason) => reason);
    expect(error).toBeInstanceOf(JobTimeoutError);
    expect(error.message).toContain('before');
    expect(await text('busybox pidof sleep | wc -w')).toBe('0');
  });

  test('the root is the one of this machine and keeps it unchanged', async () => {
    expect(await text(`cat ${import.meta.filename}`)).toBe(readFileSync(import.meta.filename, 'utf8').trim());
    expect(await text('touch /etc/made-in-guest && ls /etc/made-in-guest')).toBe('/etc/made-in-guest');
    expect((await guest.run('touch /run/host/etc/made-in-guest')).status).not.toBe(0);
    expect(readdirSync('/etc')).not.toContain('made-in-guest');
  });

  test('the share is writable on both sides', async () => {
    writeFileSync(join(guest.share, 'from-host'), 'one');
    expect(await text(`cat ${guest.share}/from-host; echo two > ${guest.share}/from-guest`)).toBe('one');
    expect(readFileSync(join(guest.share, 'from-guest'), 'utf8')).toBe('two\n');
  });

  test('modules of the kernel load on demand', async () => {
    expect((await guest.run('modprobe vsock && grep -q ^vsock /proc/modules')).status).toBe(0);
  });
});

describe('bootGuest() in a process that is killed', () => {
  test('leaves neither QEMU nor virtiofsd behind', async () => {
    const program = `
      const { bootGuest } = await import(${JSON.stringify(join(import.meta.dirname, 'guest.ts'))});
      const guest = await bootGuest({ kernel: '6.1' });
      console.log(guest.share);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [share] = await new Promise<string[]>((resolve) =>
      child.stdout.once('data', (d) => resolve(String(d).split('\n'))),
    );
    const own = () => commandLines().filter((line) => line.includes(String(share)));
    expect(own().length).toBeGreaterThanOrEqual(2);
    child.kill('SIGKILL');
    for (let i = 0; i < 100 && own().length > 0; i++) await sleep(50);
    expect(own()).toEqual([]);
    rmSync(dirname(String(share)), { recursive: true });
  });
});

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return []; // it has ended since
      }
    });
}
