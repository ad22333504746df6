import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import { type KernelObjects, PinFolder, untilGone } from '../../agent/kernel/pins.ts';
import { buildAgent } from '../e2e/build.ts';
import { Host, missingForHost } from './host.ts';
import { named } from './kernel/compile.ts';
import { Picket, picket } from './picket.ts';
import { makeCgroup } from './workload/cgroups.ts';

const policyOf = (name: string, path: string, action = 'Block') => ({
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name, namespace: 'demo' },
  spec: { process: { matchPaths: [{ path }] }, action },
});

interface Status {
  generation: number;
  workloads: number;
  policies: number;
  state: string;
  pins: { path: string; adopted: boolean; unknownWorkloads: number; others: string[] };
  ledger: { unread: { unnamed: number } };
}

function pinnedObjects(path: string): KernelObjects {
  const [set] = new PinFolder(path).sets;
  return set?.objects ?? { links: [], programs: [], maps: [] };
}

/** Runs a shell script inside the cgroup, and says how it ended. */
async function runIn({ path }: { path: string }, script: string): Promise<string> {
  const line = 'echo 0 > "$0/cgroup.procs" && exec /bin/sh -c "$1"';
  const child = spawn('/bin/sh', ['-c', line, path, script], { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return output;
}

describe.skipIf(missingForHost)(named('an agent with pins', missingForHost), () => {
  let host: Host;
  let cgroup: ReturnType<typeof makeCgroup>;
  const register = (containerId = 'c1', { path } = cgroup) =>
    host.ask('PUT', '/v1/workloads', {
      ...{ cgroup: path, containerId, namespace: 'demo', pod: 'p', container: 'c', hostMounts: true },
    });
  const status = () => host.ask<Status>('GET', '/v1/status');
  const unload = () => picket(['unload', '--json', '--config', host.path('agent.yaml')]);
  beforeEach(async () => {
    host = await Host.make({ pins: true });
    cgroup = makeCgroup();
  });
  afterEach(async () => {
    cgroup[Symbol.dispose]();
    await host[Symbol.asyncDispose]();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'leaves its rules in force after %s; the next one goes on with them',
    async (signal) => {
      await host.startCollector();
      const first = await host.startAgent();
      await host.apply(policyOf('no-base64', '/usr/bin/base64'), policyOf('no-id', '/usr/bin/id', 'Audit'));
      await register();
      const before = await status();
      expect(before.pins).toEqual({
        path: join(host.pins, `v${abi.ABI}`),
        adopted: false,
        unknownWorkloads: 0,
        others: [],
      });
      await first.stop(signal);
      expect(await runIn(cgroup, 'base64 /dev/null; echo $?; id >/dev/null; echo $?')).toBe('137\n0\n');
      expect(existsSync(host.socket)).toBe(signal === 'SIGKILL');

      await host.startAgent();
      const after = await status();
      expect(after).toMatchObject({
        workloads: 1,
        policies: 2,
        state: 'written',
        pins: { adopted: true, unknownWorkloads: 0 },
      });
      expect(after.generation).toBeGreaterThanOrEqual(before.generation);
      expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('137\n');
      // What happened while no agent ran is told, under the names that the earlier agent gave.
      const alerts = await host.alerts('p');
      expect(alerts.map(({ PolicyName, Result }) => `${PolicyName} ${Result}`)).toEqual([
        'no-base64 Killed',
        'no-id Passed',
        'no-base64 Killed',
      ]);
      expect((await status()).ledger.unread.unnamed).toBe(0);
      // The next change counts on.
      const [changed] = await host.apply(policyOf('no-base64', '/usr/bin/base64', 'Audit'));
      expect(changed?.observedGeneration).toBeGreaterThan(before.generation);
      expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('0\n');
    },
  );

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'reports system calls that rules name while no agent runs, after %s, and each once when the next one is there',
    async (signal) => {
      await host.startCollector();
      const first = await host.startAgent();
      const rules = { matchSyscalls: [{ syscall: ['unlink', 'getpid', 'close'] }] };
      await host.apply({ ...policyOf('calls', ''), spec: { action: 'Audit', syscalls: rules } });
      await register();
      const unlink = (name: string): Promise<string> => runIn(cgroup, `: >/tmp/${name}; unlink /tmp/${name}; echo $?`);
      expect(await unlink('picket-one')).toBe('0\n');
      await first.stop(signal);
      expect(await unlink('picket-two')).toBe('0\n');
      await host.startAgent();
      expect(await unlink('picket-three')).toBe('0\n');
      const alerts = (await host.alerts('p')).filter(({ Data }) => Data === 'syscall=SYS_UNLINK');
      const names = alerts.map(({ Resource = '' }) => Resource.slice(Resource.lastIndexOf('/') + 1));
      expect(names).toEqual(['picket-one', 'picket-two', 'picket-three']);
      const folders = readdirSync(join(host.pins, `v${abi.ABI}`)).filter((name) => name.startsWith('calls-'));
      expect(folders).toHaveLength(1);
      // With the last rule its programs go.
      await host.ask('DELETE', '/v1/policies', { policies: [{ name: 'calls' }] });
      expect(readdirSync(join(host.pins, `v${abi.ABI}`, folders[0] ?? ''))).toEqual(['maps']);
    },
  );

  it.each([true, false])('picket unload leaves nothing, with an agent: %s', async (running) => {
    const agent = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    await register();
    const objects = pinnedObjects(host.pins);
    if (!running) await agent.stop('SIGKILL');
    const { status: code, stdout, stderr } = await unload();
    expect(stderr).toBe('');
    const report = JSON.parse(stdout);
    expect(report).toEqual({
      agent: running ? 'ended' : 'none was running',
      paths: [join(host.pins, `v${abi.ABI}`)],
      links: objects.links.length,
      programs: objects.programs.length,
      maps: objects.maps.length,
      left: { links: [], programs: [], maps: [] },
    });
    expect([code, report.programs]).toEqual([0, report.links]);
    expect(report.programs).toBeGreaterThan(5);
    if (running) expect(await agent.end()).toBe(0);
    expect(readdirSync(host.path('bpf')).filter((name) => !name.endsWith('.debug'))).toEqual([]);
    expect(await untilGone([objects], 0)).toEqual({ links: [], programs: [], maps: [] });
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('0\n');
    expect(JSON.parse((await unload()).stdout)).toMatchObject({ agent: 'none was running', paths: [], links: 0 });
  });

  it('picket mode lets refusals pass and takes that back, with an agent and without, and a restart keeps it', async () => {
    const mode = async (...args: string[]) => {
      const {
        status: code,
        stdout,
        stderr,
      } = await picket(['mode', ...args, '--json', '--config', host.path('agent.yaml')]);
      return code === 0 ? JSON.parse(stdout) : stderr;
    };
    expect(await mode('audit')).toMatch(/^picket: no agent answers on .* nothing is enforced on this machine\n$/);
    await host.startCollector();
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    await register();
    const attempt = () => runIn(cgroup, 'base64 /dev/null; echo $?');
    expect([await mode(), await attempt()]).toEqual([{ mode: 'enforce', agent: 'running' }, '137\n']);
    expect([await mode('audit'), await attempt()]).toEqual([{ mode: 'audit', agent: 'running' }, '0\n']);
    await first.stop('SIGKILL');
    expect([await mode(), await attempt()]).toEqual([{ mode: 'audit', agent: 'none' }, '0\n']);
    expect([await mode('enforce'), await attempt()]).toEqual([{ mode: 'enforce', agent: 'none' }, '137\n']);
    expect([await mode('audit'), await attempt()]).toEqual([{ mode: 'audit', agent: 'none' }, '0\n']);
    await host.startAgent();
    expect([await status(), await attempt()]).toEqual([expect.objectContaining({ mode: 'audit' }), '0\n']);
    expect([await mode('enforce'), await attempt()]).toEqual([{ mode: 'enforce', agent: 'running' }, '137\n']);
    expect((await host.alerts('p')).map(({ Action, Result }) => `${Action}, ${Result}`)).toEqual([
      'Block, Killed',
      ...['Audit (Block), Passed', 'Audit (Block), Passed'],
      'Block, Killed',
      ...['Audit (Block), Passed', 'Audit (Block), Passed'],
      'Block, Killed',
    ]);
  });

  it('collects workloads that ended while no agent ran, and knows those that live', async () => {
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    const gone = makeCgroup();
    using living = makeCgroup();
    await register('gone', gone);
    await register('living', living);
    await first.stop('SIGKILL');
    gone[Symbol.dispose]();
    // What is made below a workload's cgroup meanwhile belongs to it.
    const below = { path: join(living.path, 'below') };
    mkdirSync(below.path);
    expect(await runIn(below, 'base64 /dev/null; echo $?')).toBe('137\n');
    await host.startAgent();
    expect(await status()).toMatchObject({ workloads: 1, pins: { unknownWorkloads: 0 } });
    const { workloads } = await host.ask<{ workloads: { containerId: string }[] }>('GET', '/v1/workloads');
    expect(workloads.map(({ containerId }) => containerId)).toEqual(['living']);
    await host.apply(policyOf('no-base64', '/usr/bin/base64', 'Audit'));
    expect(await runIn(below, 'base64 /dev/null; echo $?')).toBe('0\n');
  });

  it('with a damaged state: sets it aside and says so, and the rules in the kernel stay until the next change', async () => {
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    await register();
    await first.stop('SIGTERM');
    writeFileSync(host.path('agent/state.db'), 'x'.repeat(10_000));
    const next = await host.startAgent();
    expect(next.stderr).toMatch(/the state on the disk is damaged or of another version; it was set aside/);
    expect(await status()).toMatchObject({ workloads: 0, policies: 0, pins: { adopted: true, unknownWorkloads: 1 } });
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('137\n');
    // Others are none of its business.
    using other = makeCgroup();
    await register('c2', other);
    expect(await runIn(other, 'base64 /dev/null; echo $?')).toBe('0\n');
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('137\n');
    await register();
    expect(await status()).toMatchObject({ workloads: 2, pins: { unknownWorkloads: 0 } });
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('0\n');
  });

  it('removes pins that are not whole and begins anew', async () => {
    const first = await host.startAgent();
    await first.stop('SIGKILL');
    rmSync(join(host.pins, `v${abi.ABI}`, 'record'));
    await host.startAgent();
    expect((await status()).pins).toEqual({
      path: join(host.pins, `v${abi.ABI}`),
      adopted: false,
      unknownWorkloads: 0,
      others: [],
    });
  });

  it('does not start beside an agent that uses its pins', async () => {
    const first = await host.startAgent();
    const config = JSON.parse(readFileSync(host.path('agent.yaml'), 'utf8'));
    const other = { ...config, stateDir: host.path('other'), runDir: host.path('other-run') };
    expect(await picket(['agent', '--config', host.write('other.yaml', other)])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`process ${first.child.pid} uses ${host.pins}/v${abi.ABI}`),
    });
    expect(await status()).toMatchObject({ pins: { adopted: false } });
  });

  it('whose verifier refuses a program leaves those of before in force, and nothing else', async () => {
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    await register();
    await first.stop('SIGKILL');
    const before = pinnedObjects(host.pins);
    const refused = buildAgent(host.path('refused'), 'refused');
    const { status: code, stderr } = spawnSync(
      process.execPath,
      [refused, 'agent', '--config', host.path('agent.yaml')],
      {
        encoding: 'utf8',
      },
    );
    expect(stderr).toMatch(/at program picket_fork; the verifier says: /);
    expect(code).toBe(1);
    expect(pinnedObjects(host.pins)).toEqual(before);
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('137\n');
    await host.startAgent();
    expect(await status()).toMatchObject({ workloads: 1, policies: 1, pins: { adopted: true } });
  });

  it('of another version knows the processes that have left their cgroup, and which programs they run', async () => {
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'), {
      ...policyOf('no-id-from-sh', '/usr/bin/id'),
      spec: {
        process: { matchPaths: [{ path: '/usr/bin/id', fromSource: [{ path: '/usr/bin/dash' }] }] },
        action: 'Block',
      },
    });
    await register();
    const go = host.path('go');
    execFileSync('mkfifo', [go]);
    const above = join(cgroup.path, '..');
    const script = `echo 0 > ${above}/cgroup.procs; echo moved; read line < ${go}; base64 /dev/null; echo $?; id; echo $?`;
    const running = runIn(cgroup, script);
    await vi.waitUntil(() => readFileSync(join(cgroup.path, 'cgroup.procs'), 'latin1') === '', { timeout: 20_000 });
    await first.stop('SIGKILL');
    const next = buildAgent(host.path('next'), 'next-abi');
    const agent = spawn(process.execPath, [next, 'agent', '--config', host.path('agent.yaml')], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    try {
      await once(agent, 'message');
      expect(new PinFolder(host.pins).sets.map(({ path }) => path)).toEqual([join(host.pins, `v${abi.ABI + 1}`)]);
      writeFileSync(go, 'x\n');
      expect(await running).toBe('moved\n137\n137\n');
    } finally {
      const ended = once(agent, 'exit');
      agent.kill('SIGKILL');
      await ended;
    }
  });

  it('configured without pins puts the rules in force by itself, and leaves the pins of before alone', async () => {
    const first = await host.startAgent();
    await host.apply(policyOf('no-base64', '/usr/bin/base64'));
    await register();
    await first.stop('SIGKILL');
    const objects = pinnedObjects(host.pins);
    const config = JSON.parse(readFileSync(host.path('agent.yaml'), 'utf8'));
    host.write('agent.yaml', { ...config, pins: 'off' });
    await host.startAgent();
    expect(await status()).toMatchObject({ workloads: 1, policies: 1, pins: { path: 'off', adopted: false } });
    expect(await runIn(cgroup, 'base64 /dev/null; echo $?')).toBe('137\n');
    expect(pinnedObjects(host.pins)).toEqual(objects);
  });
});

describe.skipIf(missingForHost)(named('policies on the disk', missingForHost), () => {
  it('are in force before anybody sends policies; those of a folder go with their files', async () => {
    await using host = await Host.make();
    using cgroup = makeCgroup();
    writeFileSync(join(host.policies, 'a.yaml'), JSON.stringify(policyOf('no-base64', '/usr/bin/base64')));
    writeFileSync(join(host.policies, 'b.yaml'), JSON.stringify(policyOf('no-id', '/usr/bin/id')));
    const script = 'for p in base64 id head; do $p /dev/null >/dev/null; echo $?; done';
    const names = async () => {
      const { results } = await host.ask<{ results: { name: string }[] }>('GET', '/v1/policies');
      return results.map(({ name }) => name).sort();
    };
    const first = await host.startAgent();
    await host.apply(policyOf('no-head', '/usr/bin/head'));
    await host.ask('PUT', '/v1/settings', { defaultFilePosture: 'audit' });
    const record = { cgroup: cgroup.path, containerId: 'c1', namespace: 'demo', pod: 'p', container: 'c' };
    await host.ask('PUT', '/v1/workloads', { ...record, hostMounts: true });
    expect(await runIn(cgroup, script)).toBe('137\n137\n137\n');
    await first.stop('SIGKILL');
    expect(await runIn(cgroup, script)).not.toContain('137'); // no pins: the rules ended with the agent

    rmSync(join(host.policies, 'b.yaml'));
    const second = await host.startAgent();
    expect(await names()).toEqual(['no-base64', 'no-head']);
    expect(await runIn(cgroup, script)).toBe('137\n1\n137\n'); // the workload was known as well: it lives in this boot
    expect(await host.ask('PUT', '/v1/settings', {})).toMatchObject({ settings: { defaultFilePosture: 'audit' } });
    await second.stop('SIGKILL');

    // What cannot be read might be anything: nothing of the folder is taken for deleted.
    writeFileSync(join(host.policies, 'a.yaml'), 'kind: [');
    const third = await host.startAgent();
    expect(await names()).toContain('no-base64');
    await third.stop('SIGKILL');

    // Nor is anything deleted when the folder itself cannot be read: it may be there later.
    rmSync(host.policies, { recursive: true });
    const fourth = await host.startAgent();
    expect(await names()).toContain('no-base64');
    expect(await runIn(cgroup, script)).toBe('137\n1\n137\n');
    expect(fourth.stderr).toContain(`the policy folder ${host.policies} cannot be read: ENOENT`);
    expect(fourth.stderr).toContain('what came from there before stays in force (policies: 1)');
    await fourth.stop('SIGKILL');
    const config = JSON.parse(readFileSync(host.path('agent.yaml'), 'utf8'));
    host.write('agent.yaml', { ...config, policies: {}, defaultFilePosture: 'block' });
    await host.startAgent();
    expect(await names()).toEqual(['no-head']);
  });
});

describe.skipIf(missingForHost)(named('a place that takes no pins', missingForHost), () => {
  const start = async (host: Host, pins: string) => {
    const config = JSON.parse(readFileSync(host.path('agent.yaml'), 'utf8'));
    return picket(['agent', '--config', host.write('agent.yaml', { ...config, pins })]);
  };

  it('that is no BPF file system: the agent says what to do and ends with 3', async () => {
    await using host = await Host.make();
    const { status, stderr } = await start(host, host.path('nowhere/pins'));
    expect(stderr).toMatch(
      /^picket: programs cannot be pinned below .*\/nowhere\/pins: found a file system of type 0x[0-9a-f]+, a BPF file system is needed; mount one with "mount -t bpf bpf \/sys\/fs\/bpf", or configure pins: off/m,
    );
    expect(status).toBe(3);
  });

  it('that is read-only: likewise, and picket unload and picket mode say why they cannot', async () => {
    await using host = await Host.make({ pins: true });
    const agent = await host.startAgent();
    await agent.stop('SIGTERM');
    execFileSync('mount', ['-o', 'remount,ro', host.path('bpf')]);
    const { status, stderr } = await start(host, host.pins);
    const advice = 'its file system is read-only; make it writable with "mount -o remount,rw" and repeat\n';
    expect(stderr).toContain(`picket: programs cannot be pinned below ${host.pins}: ${advice}`);
    expect(status).toBe(3);
    const config = ['--config', host.path('agent.yaml')];
    expect(await picket(['unload', ...config])).toMatchObject({
      status: 1,
      stderr: `picket: the pins below ${host.pins} cannot be removed: ${advice}`,
    });
    for (const words of [['mode'], ['mode', 'audit']])
      expect(await picket([...words, ...config])).toMatchObject({
        status: 1,
        stderr: `picket: the pins below ${host.pins} cannot be used: ${advice}`,
      });
    execFileSync('mount', ['-o', 'remount,rw', host.path('bpf')]);
    expect(await picket(['unload', ...config])).toMatchObject({ status: 0 });
  });

  it('picket up says so and works without', async () => {
    await using host = await Host.make();
    const config = JSON.parse(readFileSync(host.path('agent.yaml'), 'utf8'));
    host.write('agent.yaml', { ...config, pins: host.path('nowhere') });
    const files = ['--config', host.path('agent.yaml'), '--collector-config', host.path('collector.yaml')];
    await using up = new Picket(['up', '--no-demo', ...files]);
    await vi.waitUntil(() => up.stderr.includes('Ctrl-C') || up.child.exitCode !== null, { timeout: 60_000 });
    expect(up.stderr).toMatch(/This agent runs without: were it killed, its rules would end with it/);
    expect(await up.stop('SIGTERM')).toBe(0);
  });
});
