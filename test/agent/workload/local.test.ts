import { existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ControlApi, ControlServer } from '../../../agent/control/server.ts';
import { AgentError } from '../../../agent/error.ts';
import { runLocal } from '../../../agent/workload/local.ts';
import type { WorkloadRecord } from '../../../agent/workload/workload.ts';
import { named } from '../kernel/compile.ts';
import { missingForCgroups } from './cgroups.ts';

let folder: string;
let server: ControlServer;
let calls: [name: string, body: Partial<WorkloadRecord>][];
let refuse: Error | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'picket-local-'));
  [calls, refuse] = [[], undefined];
  const api = {
    putWorkload: (body: Partial<WorkloadRecord>) => {
      if (refuse) throw refuse;
      calls.push(['put', body]);
      return {};
    },
    deleteWorkload: (body: Partial<WorkloadRecord>) => {
      calls.push(['delete', body]);
      return {};
    },
  };
  server = new ControlServer(join(folder, 'agent.sock'), api as unknown as ControlApi);
  await server.listen();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const workload = { namespace: 'demo', pod: 'p', container: 'c', labels: { app: 'x' }, image: 'none' };

function run(script: string, signal = new AbortController().signal): Promise<number> {
  return runLocal(server.path, workload, ['/bin/sh', '-c', script], { signal, stdio: 'ignore' });
}

const cgroupOf = () => calls[0]?.[1].cgroup ?? '';

describe.skipIf(missingForCgroups)(named('runLocal()', missingForCgroups), () => {
  it('registers a cgroup, runs the command inside, removes both again', async () => {
    const out = join(folder, 'out');
    expect(await run(`cat /proc/self/cgroup >${out}`)).toBe(0);
    const { containerId, cgroup } = calls[0]?.[1] ?? {};
    expect(calls).toEqual([
      ['put', { ...workload, containerId: expect.stringMatching(/^[0-9a-f]{64}$/), cgroup, hostMounts: true }],
      ['delete', { containerId }],
    ]);
    expect(readFileSync(out, 'utf8')).toMatch(new RegExp(`^0::/.*/${containerId}$`, 'm'));
    expect(existsSync(cgroupOf())).toBe(false);
  });

  it.each([
    ['exit 7', 7],
    ['kill -KILL $$', 137],
    ['exec /nowhere/at/all', 127],
  ])('gives the exit status of %j', async (script, status) => {
    expect(await run(script)).toBe(status);
  });

  it('takes the command as it is, without a shell in between', async () => {
    const out = join(folder, 'out');
    const words = ['/bin/sh', '-c', 'printf "%s|" "$0" "$@" >"$OUT"', '$HOME', 'a b', '', "it's"];
    process.env.OUT = out;
    const { signal } = new AbortController();
    expect(await runLocal(server.path, workload, words, { signal, stdio: 'ignore' })).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe("$HOME|a b||it's|");
  });

  it('removes the cgroups that the command made below its own', async () => {
    const own = "$(sed -n 's/^0:://p' /proc/self/cgroup)";
    expect(await run(`mkdir -p "$(awk '$3=="cgroup2"{print $2; exit}' /proc/mounts)${own}/a/b"`)).toBe(0);
    expect(existsSync(cgroupOf())).toBe(false);
  });

  it('leaves the workload registered while something that the command started goes on', async () => {
    const pid = join(folder, 'pid');
    expect(await run(`sleep 60 & echo $! >${pid}`)).toBe(0);
    expect([calls.length, existsSync(cgroupOf())]).toEqual([1, true]);
    process.kill(Number(readFileSync(pid, 'utf8')));
    await vi.waitUntil(() => /populated 0/.test(readFileSync(join(cgroupOf(), 'cgroup.events'), 'utf8')), {
      timeout: 10_000,
    });
    rmdirSync(cgroupOf());
  });

  it('keeps nothing when the agent refuses the workload, or there is none', async () => {
    refuse = new AgentError('workload', 'the table of workloads is full');
    const ran = join(folder, 'ran');
    await expect(run(`touch ${ran}`)).rejects.toThrow('the table of workloads is full');
    const nobody = runLocal(join(folder, 'none.sock'), workload, ['/bin/true'], {
      signal: new AbortController().signal,
      stdio: 'ignore',
    });
    await expect(nobody).rejects.toMatchObject({ code: 'not-running' });
    expect(existsSync(ran)).toBe(false);
  });

  it('ends the command when it is told to, also before it has begun', async () => {
    const stop = new AbortController();
    const started = join(folder, 'started');
    const running = run(`touch ${started}; exec sleep 60`, stop.signal);
    await vi.waitUntil(() => existsSync(started), { timeout: 10_000 });
    stop.abort();
    expect(await running).toBe(143);
    expect(await run('exec sleep 60', AbortSignal.abort())).toBe(143);
  });
});
