import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Container, Machine } from './container.ts';
import { openMachine, reasonWithoutContainers } from './machine.ts';
import { findTarget } from './pods.ts';
import { runInContainer } from './session.ts';
import { openStage } from './stage.ts';

/** Containers and exec sessions as this machine makes them; those of a guest are tried by the cases that run there. */
const reason = await reasonWithoutContainers();
describe.skipIf(reason)(`openStage() and runInContainer()${reason ? `: ${reason}` : ''}`, () => {
  const stack = new AsyncDisposableStack();
  let machine: Machine;
  let ubuntu: Container;
  let first: Container;
  let second: Container;
  beforeAll(async () => {
    machine = stack.use(await openMachine(undefined));
    const multi = 'multicontainer/multicontainer';
    const target = (name: string) => findTarget(name, 'n');
    const stage = stack.use(await openStage(machine, [target('ubuntu-1').pod, target(multi).pod]));
    ubuntu = stage.find(target('ubuntu-1'));
    first = stage.find(target(`${multi}/container-1`));
    second = stage.find(target(`${multi}/container-2`));
  });
  afterAll(async () => {
    await stack.disposeAsync();
    expect(existsSync(machine.directory)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(machine.directory);
    const hierarchies = machine.cgroups.unified ? [machine.cgroups.path] : readdirSync('/sys/fs/cgroup');
    for (const name of hierarchies) expect(existsSync(join('/sys/fs/cgroup', name, machine.cgroupParent))).toBe(false);
  });

  const run = (script: string, as: 'root' | 'user1' = 'root', container = ubuntu) =>
    runInContainer(machine, container, { as, run: script, exec: undefined });
  const exec = (...words: string[]) => runInContainer(machine, ubuntu, { as: 'root', run: undefined, exec: words });

  test('a session is in the cgroup and namespaces of its container', async () => {
    const { output } = await run(
      'cat /proc/self/cgroup; for n in pid mnt net ipc uts; do readlink /proc/1/ns/$n /proc/self/ns/$n; done',
    );
    const lines = output.trim().split('\n');
    const cgroup = lines.find((line) => line.startsWith('0::'));
    expect(basename(String(cgroup))).toBe(ubuntu.id);
    const namespaces = lines.filter((line) => /^\w+:\[/.test(line));
    expect(namespaces).toHaveLength(10);
    for (let i = 0; i < 10; i += 2) expect(namespaces[i]).toBe(namespaces[i + 1]);
  });

  test('the first process is idle, root, with PATH', async () => {
    const { output } = await run(
      'tr "\\0" " " </proc/1/cmdline; tr "\\0" "\\n" </proc/1/environ; grep ^Uid /proc/1/status',
    );
    expect(output).toContain('/usr/bin/sleep infinity');
    expect(output).toContain('PATH=/usr/local/sbin:');
    expect(output).toMatch(/^Uid:\t0\t0/m);
  });

  test.for([
    ['root', '0', '00000000a80425fb', '/root'],
    ['user1', '1000', '0000000000000000', '/home/user1'],
  ] as const)('%s has its ids, rights, folder and environment', async ([as, id, effective, home]) => {
    const { output, status } = await run(
      'id -u; id -G; pwd; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; env | sort',
      as,
    );
    expect(status).toBe(0);
    expect(output.trim().split('\n')).toEqual([
      id,
      id,
      '/',
      `CapEff:\t${effective}`,
      'CapBnd:\t00000000a80425fb',
      'NoNewPrivs:\t0',
      `HOME=${home}`,
      'LANG=C',
      'LC_ALL=C',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'PWD=/',
      'TERM=dumb',
    ]);
  });

  test('input is /dev/null, both outputs are one pipe that can be opened again', async () => {
    const { output } = await run(
      'readlink /proc/self/fd/0; echo a; echo b >&2; echo c >/dev/stdout; [ /dev/fd/1 -ef /dev/fd/2 ] && [ -p /dev/fd/1 ] && echo one',
    );
    expect(output).toBe('/dev/null\na\nb\nc\none\n');
  });

  test('output without a newline at its end is kept as it is', async () => {
    expect(await run('printf x; exit 3')).toEqual({ status: 3, output: 'x' });
  });

  test('output is cut at 1 MiB', async () => {
    const { output } = await run("head -c 3000000 /dev/zero | tr '\\0' x");
    expect(output.length).toBe(1 << 20);
  });

  test('the end by a signal is 128 + its number', async () => {
    expect((await run('kill -9 $$')).status).toBe(137);
    expect(await run('sh -c "kill -9 \\$\\$"; exit $?')).toMatchObject({ status: 137, output: 'Killed\n' });
  });

  test('what is left in the background is not waited for and lives on', async () => {
    expect((await run('sleep 77 & echo started')).output).toBe('started\n');
    expect((await run('pgrep -fx "sleep 77"')).status).toBe(0);
  });

  test('a command that is not over in time has no status', async () => {
    const command = { as: 'root', run: 'echo before; sleep 60', exec: undefined } as const;
    expect(await runInContainer(machine, ubuntu, command, 500)).toEqual({ status: undefined, output: 'before\n' });
  });

  test('a first exec that fails is told as a shell tells it', async () => {
    expect(await exec('/secret.txt')).toEqual({ status: 126, output: '/secret.txt: Permission denied\n' });
    expect((await exec('/none')).status).toBe(127);
    expect(await exec('/readwrite', '-r', '/secret.txt')).toEqual({ status: 0, output: 's\n' });
  });

  test('rename and link work everywhere but on the mounts of the format', async () => {
    const { output } = await run(
      'df --output=target / /tmp /home /etc /var /run /credentials | sort -u; ln /etc/hosts /tmp/h && mv /tmp/h /home/',
    );
    expect(output.trim().split('\n')).toEqual(['/', 'Mounted on']);
    expect(
      (await run('stat -c "%a %F" /tmp /dev/shm; ls /dev/pts/ptmx; echo >/dev/shm/x; chmod +x /dev/shm/x; /dev/shm/x'))
        .output,
    ).toBe('1777 directory\n1777 directory\n/dev/pts/ptmx\n');
  });

  test('the writable layer belongs to one container', async () => {
    await run('echo mine >/secret.txt', 'root', first);
    expect((await run('cat /secret.txt', 'root', first)).output).toBe('mine\n');
    expect((await run('cat /secret.txt', 'root', second)).output).toBe('secret file\n');
    expect((await run('cat /secret.txt')).output).toBe('secret file\n');
    expect(readFileSync(join(machine.image, 'secret.txt'), 'utf8')).toBe('secret file\n');
  });

  test('a pod has a loopback of its own, shared by its containers, and ping needs a raw socket', async () => {
    const net = async (container: Container) => (await run('readlink /proc/self/ns/net', 'root', container)).output;
    expect(await net(first)).toBe(await net(second));
    expect(await net(first)).not.toBe(await net(ubuntu));
    expect((await run('ip -br addr')).output).toMatch(/^lo\s+UNKNOWN\s+127\.0\.0\.1\/8 ::1\/128\s*$/);
    expect((await run('cat /proc/sys/net/ipv4/ping_group_range')).output).toBe('1\t0\n');
    expect((await run('ping -c1 -W5 127.0.0.1', 'user1')).status).toBe(0);
  });

  test('services answer HTTP for any name, DNS and echo', async () => {
    expect((await run('curl -sSw "%{http_code}" http://any.example.org:8080/x')).output).toBe('picket-fixture\n200');
    const script = `
import socket
for kind in (socket.AF_INET, socket.AF_INET6):
    try: print(socket.getaddrinfo("example.org", 1, kind, socket.SOCK_STREAM)[0][4])
    except socket.gaierror as error: print(error.errno == socket.EAI_NODATA)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
s.sendto(b"echo", ("127.0.0.1", 9999)); print(s.recv(99))`;
    expect((await exec('python3', '-c', script)).output).toBe("('127.0.0.1', 1)\nTrue\nb'echo'\n");
  });
});
