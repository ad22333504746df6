import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cgroup2Mount } from '../../agent/workload/cgroup.ts';
import { Host, missingForHost } from './host.ts';
import { named } from './kernel/compile.ts';

const policy = {
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name: 'no-base64', namespace: 'demo' },
  spec: { process: { matchPaths: [{ path: '/usr/bin/base64' }] }, action: 'Block' },
};
/** A hierarchy of version 1, where there is one: its cgroups have names like those of version 2. */
const version1 = '/sys/fs/cgroup/pids';

describe.skipIf(missingForHost)(named('a workload whose cgroup is still to be made', missingForHost), () => {
  let host: Host;
  beforeAll(async () => {
    host = await Host.make({ pins: true });
    await host.startAgent();
    await host.apply(policy);
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  const name = `picket-expected-${process.pid}`;
  const parent = join(cgroup2Mount() ?? '', name);
  const path = join(parent, 'container');
  const register = (containerId: string, cgroup: string) =>
    host.ask('PUT', '/v1/workloads', {
      ...{ cgroup, containerId, namespace: 'demo', pod: 'p', container: 'c', hostMounts: true, expected: true },
    });
  const firstProgram = async (cgroup: string): Promise<unknown> => {
    const line = 'echo 0 > "$0/cgroup.procs" && exec base64 /dev/null';
    const [code, signal] = await once(spawn('/bin/sh', ['-c', line, cgroup], { stdio: 'ignore' }), 'exit');
    return code ?? signal;
  };

  it('is under its rules from its first program on, also after a restart of the agent', async () => {
    await register('c1', path);
    const { workloads } = await host.ask<{ workloads: object[] }>('GET', '/v1/workloads');
    expect(workloads).toMatchObject([{ containerId: 'c1', expected: true }]);
    if (existsSync(version1)) {
      mkdirSync(join(version1, name, 'container'), { recursive: true });
      rmdirSync(join(version1, name, 'container'));
      rmdirSync(join(version1, name));
    }
    await host.ask('POST', '/v1/unload').catch(() => {});
    const agent = await host.startAgent();
    await agent.stop('SIGKILL'); // no agent runs when the cgroup is made
    mkdirSync(path, { recursive: true });
    try {
      expect(await firstProgram(path)).toBe('SIGKILL');
      expect(await firstProgram(parent)).toBe(0);
    } finally {
      rmdirSync(path);
      rmdirSync(parent);
    }
    await host.startAgent();
    expect(await host.ask('GET', '/v1/workloads')).toEqual({ workloads: [] });
  });

  it('is not expected any more once it has come, gone, or was taken back', async () => {
    await register('c2', path);
    await host.ask('DELETE', '/v1/workloads', { containerId: 'c2' });
    mkdirSync(path, { recursive: true });
    try {
      expect(await firstProgram(path)).toBe(0);
    } finally {
      rmdirSync(path);
      rmdirSync(parent);
    }
  });
});
