import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import { type KernelObjects, PinFolder, untilGone } from '../../agent/kernel/pins.ts';
import { Host, missingForHost } from './host.ts';
import { named } from './kernel/compile.ts';
import { picket } from './picket.ts';
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
});
