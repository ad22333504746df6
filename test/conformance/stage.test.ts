import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Container, Machine } from './container.ts';
import { openMachine, reasonWithoutContainers } from './machine.ts';
import { findTarget } from './pods.ts';
import { runInContainer } from './session.ts';
import { openStage, type Stage } from './stage.ts';

/** Containers and exec sessions as this machine makes them; those of a guest are tried by the cases that run there. */
const reason = await reasonWithoutContainers();
describe.skipIf(reason)(`openStage() and runInContainer()${reason ? `: ${reason}` : ''}`, () => {
  const stack = new AsyncDisposableStack();
  let machine: Machine;
  let ubuntu: Container;
  let first: Container;
  let second: Container;
  let stage: Stage;
  beforeAll(async () => {
    machine = stack.use(await openMachine());
    const multi = 'multicontainer/multicontainer';
    const target = (name: string) => findTarget(name, 'n');
    stage = stack.use(await openStage(machine, [target('ubuntu-1').pod, target(multi).pod]));
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
    runInContainer(machine, container, { as, tty: false, run: script, exec: undefined });
  const exec = (...words: string[]) =>
    runInContainer(machine, ubuntu, { as: 'root', tty: false, run: undefined, exec: words });
  const onTerminal = (script: string, as: 'root' | 'user1' = 'root') =>
    runInContainer(machine, ubuntu, { as, tty: true, run: script, exec: undefined });

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
    const command = { as: 'root', tty: false, run: 'echo before; sleep 60', exec: undefined } as const;
    expect(await runInContainer(machine, ubuntu, command, 500)).toEqual({ status: undefined, output: 'before\n' });
  });

  test('a first exec that fails is told as a shell tells it', async () => {
    expect(await exec('/secret.txt')).toEqual({ status: 126, output: '/secret.txt: Permission denied\n' });
    expect((await exec('/none')).status).toBe(127);
    expect(await exec('/readwrite', '-r', '/secret.txt')).toEqual({ status: 0, output: 's\n' });
  });

  test.for(['root', 'user1'] as const)('a session of %s with a terminal leads a new session on it', async (as) => {
    const { output, status } = await onTerminal(
      'for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; tty; ps -o tty=,sid=,pid= -p $$; stat -c "%U" $(tty); exit 3',
      as,
    );
    expect(status).toBe(3);
    const [input, ...rest] = output.split('\n');
    expect(input).toMatch(/^\/dev\/pts\/\d+$/);
    const process = rest[3]?.trim().split(/\s+/) ?? [];
    expect(process).toEqual([input?.slice('/dev/'.length), expect.any(String), process[1]]);
    expect(rest).toEqual([input, input, input, rest[3], as, '']);
  });

  test('the terminal is out of the /dev/pts of the container, and can be opened as /dev/tty', async () => {
    expect((await onTerminal('stat -c %m $(tty); echo here >/dev/tty; exec 3<$(tty) && echo opened')).output).toBe(
      '/dev/pts\nhere\nopened\n',
    );
  });

  test('without a terminal there is none', async () => {
    expect(await run('tty; ps -o tty= -p $$; : </dev/tty')).toEqual({
      status: 2,
      output: expect.stringMatching(/^not a tty\n\?\n.*\/dev\/tty: No such device or address\n$/),
    });
  });

  test('what is left in the background of a terminal is not waited for, and nothing of the output is lost', async () => {
    const { output, status } = await onTerminal('sleep 78 & head -c 300000 /dev/zero | tr "\\0" x; echo; echo end');
    expect([status, output.length, output.slice(-5)]).toEqual([0, 300_005, '\nend\n']);
  });

  test('a first exec that fails on a terminal is told as a shell tells it', async () => {
    const command = { as: 'root', tty: true, run: undefined, exec: ['/secret.txt'] } as const;
    expect(await runInContainer(machine, ubuntu, { ...command, exec: [...command.exec] })).toEqual({
      status: 126,
      output: '/secret.txt: Permission denied\n',
    });
  });

  test('a pod that starts later is announced with an empty cgroup, and runs in it when start() returns', async () => {
    const announced: [name: string, tasks: string][] = [];
    const pod = { namespace: 'n', name: 'late', labels: {}, containers: ['one', 'two'] };
    await stage.start(pod, async ({ name, container }) => {
      announced.push([name, readFileSync(join(container.cgroup, 'cgroup.procs'), 'utf8')]);
    });
    expect(announced).toEqual([
      ['one', ''],
      ['two', ''],
    ]);
    const late = stage.find({ pod, container: 'two' });
    expect(readFileSync(join(late.cgroup, 'cgroup.procs'), 'utf8')).toBe(`${late.pid}\n`);
    expect((await run('tr "\\0" " " </proc/1/cmdline', 'root', late)).output).toBe('/usr/bin/sleep infinity ');
    const curl = await run('curl -sS http://late:8080/', 'root', late);
    expect(curl.output).toBe('picket-fixture\n');
  });

  test('a pod that may not start the first idle program starts the next, and one that may start none is an error', async () => {
    const start = (name: string, programs: string) =>
      stage.start({ namespace: 'n', name, labels: {}, containers: [name] }, async ({ container }) => {
        const rootfs = join(machine.directory, container.id.slice(0, 12), 'rootfs');
        for (const program of programs.split(' ')) writeFileSync(join(rootfs, 'usr/bin', program), 'no program');
      });
    await start('without-sleep', 'sleep');
    const pod = { namespace: 'n', name: 'without-sleep', labels: {}, containers: [] };
    const container = stage.find({ pod, container: 'without-sleep' });
    expect((await run('tr "\\0" " " </proc/1/cmdline', 'root', container)).output).toBe('/usr/bin/tail -f /dev/null ');
    await expect(start('without-any', 'sleep tail python3')).rejects.toThrow('no program that could wait');
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
