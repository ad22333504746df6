import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import type { PolicyResult } from '../../agent/policy/enforcement.ts';
import type { WorkloadRecord } from '../../agent/workload/workload.ts';
import type { VerdictAlert } from '../../otel/alert.ts';
import { bpfObjects, Host, missingForHost, stillThere } from './host.ts';
import { named } from './kernel/compile.ts';
import { Picket, picket } from './picket.ts';
import { makeCgroup } from './workload/cgroups.ts';

const killed = 128 + 9;
const policyOf = (name: string, spec: object, namespace = 'demo') => ({
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name, namespace },
  spec,
});
const blocking = (name: string, path: string, change = {}) =>
  policyOf(name, { process: { matchPaths: [{ path }] }, action: 'Block', ...change });

/** Example 1 of the collection, word for word. */
const blockSleep = policyOf(
  'ksp-group-1-proc-path-block',
  {
    selector: { matchLabels: { group: 'group-1' } },
    process: { matchPaths: [{ path: '/bin/sleep' }] },
    action: 'Block',
  },
  'multiubuntu',
);

describe.skipIf(missingForHost)(named('agent on this kernel, tracepoint backend', missingForHost), () => {
  let host: Host;
  let agent: Picket;
  beforeAll(async () => {
    host = await Host.make();
    await host.startCollector();
    agent = await host.startAgent();
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  it('example 1: a blocked program is killed before it starts, in the group alone', async () => {
    await host.apply(blockSleep);
    const started = performance.now();
    const denied = await host.run(
      'ubuntu-1',
      { group: 'group-1', container: 'ubuntu-1' },
      'sleep 60 "two words"; echo $?',
    );
    expect(denied).toEqual({ status: 0, stdout: `${killed}\n`, stderr: expect.stringMatching(/^(Killed\n)?$/) });
    expect(performance.now() - started).toBeLessThan(30_000);
    const allowed = await host.run('ubuntu-4', { group: 'group-2', container: 'ubuntu-4' }, 'sleep 0.01; echo $?');
    expect(allowed).toEqual({ status: 0, stdout: '0\n', stderr: '' });

    const alerts = await host.alerts('ubuntu-1');
    const [alert] = alerts as [VerdictAlert];
    const root = alert.ProcessName.slice(0, -'/usr/bin/sleep'.length); // not empty where all this runs in a chroot
    expect(alerts).toEqual([
      {
        Timestamp: expect.any(Number),
        UpdatedTime: expect.any(String),
        ClusterName: 'test',
        HostName: 'this-host',
        NodeID: expect.stringMatching(/^[0-9a-f-]{32,36}$/),
        NamespaceName: 'multiubuntu',
        PodName: 'ubuntu-1',
        Labels: 'container=ubuntu-1,group=group-1',
        ContainerID: expect.stringMatching(/^[0-9a-f]{64}$/),
        ContainerName: 'ubuntu-1-container',
        HostPPID: expect.any(Number),
        HostPID: expect.any(Number),
        PPID: alert.HostPPID,
        PID: alert.HostPID,
        UID: 0,
        ParentProcessName: `${root}/usr/bin/dash`,
        ProcessName: `${root}/usr/bin/sleep`,
        PolicyName: 'ksp-group-1-proc-path-block',
        Severity: '1',
        Type: 'MatchedPolicy',
        Source: `${root}/usr/bin/dash`,
        Operation: 'Process',
        Resource: `${root}/usr/bin/sleep 60 two words`,
        Data: 'lsm=SECURITY_BPRM_CHECK',
        EventData: { Lsm: 'SECURITY_BPRM_CHECK' },
        Enforcer: 'eBPF Tracepoint',
        Action: 'Block',
        Result: 'Killed',
        Cwd: `${process.cwd() === '/' ? '' : root + process.cwd()}/`,
        ...(alert.TTY !== undefined && { TTY: alert.TTY }), // the tests may be run from a terminal
        KubeArmorVersion: 'picket-0.1.0',
        Picket: {
          AlertID: expect.any(String),
          Rule: {
            Kind: 'KubeArmorPolicy',
            Namespace: 'multiubuntu',
            Policy: 'ksp-group-1-proc-path-block',
            Path: 'spec.process.matchPaths[0]',
            Generation: expect.any(Number),
          },
          TraceID: expect.any(String),
          SpanID: expect.any(String),
          Seq: expect.any(Number),
          Epoch: expect.stringMatching(new RegExp(`^${bootId().slice(0, 8)}-1$`)),
        },
      },
    ]);
    expect(Math.abs(Date.now() - Date.parse(alert.UpdatedTime))).toBeLessThan(60_000);
    expect(await host.alerts('ubuntu-4')).toEqual([]);
  });

  it('example 7: whoever opens something below a blocked directory is killed, others are not touched', async () => {
    const secrets = host.path('credentials');
    mkdirSync(join(secrets, 'deep'), { recursive: true });
    for (const file of ['password', 'deep/key']) writeFileSync(join(secrets, file), 'x');
    const open = host.write('secret.txt', 'y');
    await host.apply(
      policyOf('ksp-ubuntu-5-file-dir-recursive-block', {
        selector: { matchLabels: { container: 'ubuntu-5' } },
        file: { matchDirectories: [{ dir: `${secrets}/`, recursive: true }] },
        action: 'Block',
      }),
    );
    const script = `cat ${open}; for f in password deep/key; do cat ${secrets}/$f; echo $?; done; ls ${secrets}; echo $?`;
    const { stdout } = await host.run('ubuntu-5', { container: 'ubuntu-5' }, script, 'demo');
    expect(stdout).toBe(`y${killed}\n${killed}\n${killed}\n`);
    const neighbour = await host.run('ubuntu-6', { container: 'ubuntu-6' }, script, 'demo');
    expect(neighbour.stdout).toBe('yx0\nx0\ndeep\npassword\n0\n');

    const alerts = await host.alerts('ubuntu-5');
    const root = alerts[0]?.ProcessName.slice(0, -'/usr/bin/cat'.length);
    expect(
      alerts.map(({ Operation, Resource, Source, Data, Action, Result }) => [
        Operation,
        Resource,
        Source,
        Data,
        Action,
        Result,
      ]),
    ).toEqual(
      [
        ['/credentials/password', `/usr/bin/cat ${secrets}/password`],
        ['/credentials/deep/key', `/usr/bin/cat ${secrets}/deep/key`],
        ['/credentials', `/usr/bin/ls ${secrets}`],
      ].map(([path, command]) => [
        ...['File', `${root}${host.folder}${path}`, `${root}${command}`, 'lsm=FILE_OPEN', 'Block', 'Killed'],
      ]),
    );
    expect(await host.alerts('ubuntu-6')).toEqual([]);
  });

  it('example 10: every unlink is reported with its path resolved, and works', async () => {
    mkdirSync(host.path('home'));
    symlinkSync('home', host.path('link'));
    await host.apply(
      policyOf('audit-all-unlink', {
        severity: 3,
        selector: { matchLabels: { container: 'ubuntu-1' } },
        syscalls: { matchSyscalls: [{ syscall: ['unlink'] }] },
        action: 'Audit',
      }),
    );
    const script = `cd ${host.folder} && touch home/secret.txt && unlink ./link/../link/secret.txt; echo $?; unlink home/none; echo $?`;
    const { stdout } = await host.run('unlinker', { container: 'ubuntu-1' }, script, 'demo');
    expect(stdout).toBe('0\n1\n'); // the second one fails with ENOENT, which is not reported
    expect(existsSync(host.path('home/secret.txt'))).toBe(false);
    const alerts = await host.alerts('unlinker');
    const root = alerts[0]?.ProcessName.slice(0, -'/usr/bin/unlink'.length);
    expect(alerts).toMatchObject([
      {
        PolicyName: 'audit-all-unlink',
        Severity: '3',
        Source: `${root}/usr/bin/unlink ./link/../link/secret.txt`,
        Operation: 'Syscall',
        Resource: `${root}${host.folder}/home/secret.txt`,
        Data: 'syscall=SYS_UNLINK',
        EventData: { Syscall: 'SYS_UNLINK' },
        Enforcer: 'eBPF Monitor',
        Action: 'Audit',
        Result: 'Passed',
        Cwd: `${root}${host.folder}/`,
        Picket: { Flags: ['path-late'] },
      },
    ]);
  });

  it('an allow-list kills what it does not list, in the name of DefaultPosture', async () => {
    await host.apply(
      policyOf('only-true', {
        selector: { matchLabels: { app: 'listed' } },
        process: { matchPaths: [{ path: '/bin/sh' }, { path: '/bin/true' }] },
        action: 'Allow',
      }),
    );
    const labels = { app: 'listed' };
    expect(await host.runScript('/bin/true', { pod: 'listed', labels })).toBe(0);
    expect(await host.runScript('/usr/bin/id; exit $?', { pod: 'listed', labels })).toBe(killed);
    expect(await host.alerts('listed')).toMatchObject([
      {
        PolicyName: 'DefaultPosture',
        Action: 'Block',
        Result: 'Killed',
        Picket: { Rule: { Category: 'process', Posture: 'block' } },
      },
    ]);
  });

  it('a rule with fromSource concerns that program alone, under the name that a link gives it too', async () => {
    const secret = host.write('source-secret', 'x');
    symlinkSync('/usr/bin/cat', host.path('reader'));
    const labels = { app: 'source' };
    await host.apply(
      policyOf('source', {
        selector: { matchLabels: labels },
        file: { matchPaths: [{ path: secret, fromSource: [{ path: host.path('reader') }], action: 'Block' }] },
        process: {
          matchPaths: [{ execname: 'id', fromSource: [{ dir: '/usr/bin/' }], action: 'Block' }],
          matchDirectories: [{ dir: '/usr/bin/', fromSource: [{ dir: '/usr/bin/' }], action: 'Audit' }],
        },
      }),
    );
    const script = `cat ${secret}; echo $?; head ${secret}; id; echo $?; true`;
    const { stdout } = await host.run('source', labels, script, 'demo');
    expect(stdout).toBe(`${killed}\nx${killed}\n`);
    const alerts = await host.alerts('source');
    const named = alerts.map(({ Operation, Action, Picket: { Rule } }) => [
      Operation,
      Action,
      'Path' in Rule && Rule.Path,
    ]);
    expect(named.map((words) => words.join(' '))).toEqual([
      'Process Audit spec.process.matchDirectories[0]',
      'File Block spec.file.matchPaths[0]',
      'Process Audit spec.process.matchDirectories[0]',
      'Process Block spec.process.matchPaths[0]',
    ]);
  });

  it('a rule follows a link that is replaced while the workload runs', async () => {
    for (const name of ['old', 'new']) {
      mkdirSync(host.path(name));
      writeFileSync(host.path(`${name}/key`), 'x');
    }
    symlinkSync('old', host.path('current'));
    const labels = { app: 'followed' };
    await host.apply(
      policyOf('followed', {
        selector: { matchLabels: labels },
        file: { matchPaths: [{ path: host.path('current/key') }], action: 'Block' },
      }),
    );
    const [go, seen] = [host.path('turned'), host.path('seen')];
    const script = `cat ${host.path('old/key')}; echo $? >${seen}; cat ${host.path('new/key')}; echo $? >>${seen}
      while [ ! -e ${go} ]; do sleep 0.05; done
      while cat ${host.path('new/key')}; s=$?; [ $s = 0 ]; do sleep 0.05; done
      echo $s >>${seen}; cat ${host.path('old/key')}; echo $? >>${seen}`;
    const running = host.runScript(script, { pod: 'followed', labels });
    await vi.waitUntil(() => existsSync(seen) && readFileSync(seen, 'utf8').split('\n').length > 2, {
      timeout: 20_000,
    });
    symlinkSync('new', host.path('next'));
    renameSync(host.path('next'), host.path('current'));
    writeFileSync(go, '');
    await running;
    expect(readFileSync(seen, 'utf8').trim().split('\n')).toEqual([killed, 0, killed, 0].map(String));
  });

  it('a policy is in force on a running workload once the answer is there, as is its next version, as is its end', async () => {
    const fifo = host.path('go');
    await new Promise((done) => spawn('mkfifo', [fifo]).once('exit', done));
    const labels = { app: 'running' };
    const selector = { matchLabels: labels };
    const results = host.path('results');
    const script = `while read line; do id >/dev/null; echo $? >>${results}; done <${fifo}`;
    const running = host.runScript(script, { pod: 'running', labels });
    const writer = spawn('sh', ['-c', `exec cat >${fifo}`], { stdio: ['pipe', 'inherit', 'inherit'] });
    let lines = 0;
    const again = async () => {
      writer.stdin.write('x\n');
      await vi.waitUntil(() => existsSync(results) && readFileSync(results, 'utf8').split('\n').length > lines + 1, {
        timeout: 20_000,
      });
      return readFileSync(results, 'utf8').split('\n')[lines++];
    };
    expect(await again()).toBe('0');
    const [applied] = await host.apply(blocking('changing', '/usr/bin/id', { selector }));
    expect(await again()).toBe(String(killed));
    const [changed] = await host.apply(blocking('changing', '/usr/bin/id', { selector, action: 'Audit' }));
    expect(changed?.observedGeneration).toBeGreaterThan(applied?.observedGeneration ?? 0);
    expect(await again()).toBe('0');
    await host.ask('PUT', '/v1/settings', { enforcement: 'audit' });
    await host.apply(blocking('changing', '/usr/bin/id', { selector }));
    expect(await again()).toBe('0');
    await host.ask('PUT', '/v1/settings', { enforcement: 'enforce' });
    expect(await again()).toBe(String(killed));
    const deleted = await picket(['policy', 'delete', 'changing', '--config', host.path('agent.yaml')]);
    expect(deleted).toEqual({ status: 0, stdout: 'deleted KubeArmorPolicy demo/changing\n', stderr: '' });
    expect(await again()).toBe('0');
    writer.stdin.end();
    await running;
    const alerts = await host.alerts('running');
    expect(alerts.map(({ Action, Result }) => `${Action}, ${Result}`)).toEqual([
      'Block, Killed',
      'Audit, Passed',
      'Audit (Block), Passed',
      'Block, Killed',
    ]);
    const generations = alerts.map(({ Picket: { Rule } }) => Rule.Generation);
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
  });

  it('picket policy apply loads the good ones beside a bad one, says where the bad one is wrong, and ends with 1', async () => {
    const selector = { matchLabels: { app: 'mixed' } };
    const files = [
      host.write('good.yaml', `${JSON.stringify(blocking('good', '/usr/bin/id', { selector }))}\n---\nkind: [broken\n`),
      host.write('bad.yaml', blocking('bad', 'usr/bin/id', { selector })),
      host.write('also-good.yaml', blocking('also-good', '/usr/bin/base64', { selector })),
    ];
    const config = ['--config', host.path('agent.yaml')];
    const { status, stdout, stderr } = await picket(['policy', 'apply', ...config, ...files, files[2] ?? '']);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `picket: ${files[2]}:1:1: KubeArmorPolicy demo/also-good stands at ${files[2]}:1:1 as well`,
    );
    expect(stderr).toMatch(
      new RegExp(
        `^${files[1]}:1:\\d+: error InvalidValue KubeArmorPolicy demo/bad spec.process.matchPaths\\[0\\].path: found "usr/bin/id"`,
        'm',
      ),
    );
    expect(stderr).toMatch(new RegExp(`^${files[0]}:\\d+:\\d+: error InvalidValue: found a YAML error`, 'm'));
    expect(stdout).toMatch(/ good .* Applied .* bad .* Invalid .* also-good .* Applied /s);
    expect(await host.runScript('id; test $? = 137 && base64 /dev/null; exit $?', { labels: { app: 'mixed' } })).toBe(
      killed,
    );
    const list = await picket(['policy', 'list', '--json', ...config]);
    const listed = list.stdout
      .trim()
      .split('\n')
      .map((line): PolicyResult => JSON.parse(line));
    const statusOf = (name: string) => listed.find((policy) => policy.name === name)?.status;
    expect(['good', 'bad', 'also-good'].map(statusOf)).toEqual(['Applied', 'Invalid', 'Applied']);
    expect(await picket(['policy', 'delete', 'good', 'nobody', ...config])).toMatchObject({
      status: 1,
      stderr: 'picket: no policy nobody; "picket policy list" shows what is in force\n',
    });
  });

  it('a version that is refused is listed with what is wrong with it, while the one before stays in force', async () => {
    const listed = async (name: string) => {
      const { results } = await host.ask<{ results: PolicyResult[] }>('GET', '/v1/policies');
      return results.filter((result) => result.name === name);
    };
    const labels = { app: 'versions' };
    const selector = { matchLabels: labels };
    const [first] = await host.apply(blocking('versions', '/usr/bin/id', { selector }));
    const network = { ...policyOf('network', {}), kind: 'KubeArmorNetworkPolicy' };
    await host.ask('PUT', '/v1/policies', { policies: [blocking('versions', 'usr/bin/id', { selector }), network] });
    expect(await listed('versions')).toMatchObject([
      {
        status: 'Invalid',
        observedGeneration: first?.observedGeneration,
        diagnostics: [{ code: 'InvalidValue', field: 'spec.process.matchPaths[0].path' }],
      },
    ]);
    expect(await listed('network')).toMatchObject([
      { status: 'Unsupported', observedGeneration: 0, diagnostics: [{ code: 'UnsupportedKind', field: 'kind' }] },
    ]);
    const wrong = host.write('wrong.yaml', blocking('versions', 'usr/bin/id', { selector }));
    const { status, stderr } = await picket(['policy', 'apply', wrong, '--config', host.path('agent.yaml')]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `KubeArmorPolicy demo/versions was refused; the version of generation ${first?.observedGeneration} stays in force\n`,
    );
    expect(await host.runScript('id; exit $?', { labels })).toBe(killed);

    await host.apply(blocking('versions', '/usr/bin/base64', { selector }));
    expect(await listed('versions')).toMatchObject([{ status: 'Applied' }]);
    expect(await host.runScript('id; exit $?', { labels })).toBe(0);
    const { deleted } = await host.ask<{ deleted: object[] }>('DELETE', '/v1/policies', {
      policies: [{ name: 'versions' }, { name: 'network', kind: network.kind }],
    });
    expect(deleted).toHaveLength(2);
    expect([...(await listed('versions')), ...(await listed('network'))]).toEqual([]);
  });

  it('annotations of a running workload and of its namespace are obeyed at once, and a wrong one is told', async () => {
    const [fifo, results] = [host.path('annotated'), host.path('annotated-results')];
    await new Promise((done) => spawn('mkfifo', [fifo]).once('exit', done));
    const running = host.runScript(`while read line; do id >/dev/null; echo $? >>${results}; done <${fifo}`, {
      pod: 'annotated',
      namespace: 'annotated',
    });
    const writer = spawn('sh', ['-c', `exec cat >${fifo}`], { stdio: ['pipe', 'inherit', 'inherit'] });
    let lines = 0;
    const again = async () => {
      writer.stdin.write('x\n');
      const read = () => (existsSync(results) ? readFileSync(results, 'utf8').split('\n') : []);
      await vi.waitUntil(() => read().length > lines + 1, { timeout: 20_000 });
      return Number(read()[lines++]);
    };
    const allowList = { process: { matchPaths: [{ path: '/bin/sh' }] }, action: 'Allow' };
    await host.apply(policyOf('annotated', allowList, 'annotated'));
    expect(await again()).toBe(killed);
    const annotate = (value: string) =>
      host.ask('PUT', '/v1/settings', { namespaceAnnotations: { annotated: { 'kubearmor-file-posture': value } } });
    const told = async () => (await host.ask<{ diagnostics: object[] }>('GET', '/v1/policies')).diagnostics;
    await annotate('audit');
    expect(await again()).toBe(0);
    expect(await told()).toEqual([]);
    await annotate('blok');
    expect(await again()).toBe(killed);
    expect(await told()).toMatchObject([
      { namespace: 'annotated', code: 'InvalidAnnotation', field: 'metadata.annotations[kubearmor-file-posture]' },
    ]);
    await host.ask('PUT', '/v1/settings', { namespaceAnnotations: {} });

    const { workloads } = await host.ask<{ workloads: (WorkloadRecord & { id: string; generation: number })[] }>(
      'GET',
      '/v1/workloads',
    );
    const { id, generation, ...record } = workloads.find(({ pod }) => pod === 'annotated') ?? expect.fail();
    const put = (annotations: object) => host.ask('PUT', '/v1/workloads', { ...record, annotations });
    for (const [value, status] of [
      ['audited', 0],
      ['enabled', killed],
      ['disabled', 0],
    ] as const) {
      await put({ 'kubearmor-policy': value });
      expect([value, await again()]).toEqual([value, status]);
    }
    await host.ask('DELETE', '/v1/policies', { policies: [{ name: 'annotated' }] });
    writer.stdin.end();
    await running;
  });

  it('one start of a program is one alert, of the file rule where that blocks it too; its arguments are whole', async () => {
    const labels = { app: 'once' };
    const rule = { matchPaths: [{ path: '/usr/bin/base64' }] };
    const both = policyOf('both', { selector: { matchLabels: labels }, process: rule, file: rule, action: 'Block' });
    await host.apply(both, blocking('alone', '/usr/bin/id', { selector: { matchLabels: labels } }));
    const many = Array.from({ length: 900 }, (_, i) => String(i % 10)).join(' ');
    expect(await host.runScript(`base64 x; id ${many}; id $(printf '%05000d' 0); true`, { pod: 'once', labels })).toBe(
      0,
    );
    const alerts = await host.alerts('once');
    expect(alerts.map(({ Data, Result }) => `${Data} ${Result}`)).toEqual([
      'lsm=FILE_OPEN Killed',
      'lsm=SECURITY_BPRM_CHECK Killed',
      'lsm=SECURITY_BPRM_CHECK Killed',
    ]);
    expect(alerts[1]?.Resource?.endsWith(`/usr/bin/id ${many}`)).toBe(true);
    expect(alerts[1]?.Picket.Flags).toBeUndefined();
    expect(alerts[2]?.Resource).toMatch(/\/usr\/bin\/id 0{4000,4096}…$/);
    expect(alerts[2]?.Picket.Flags).toEqual(['args-truncated']);
  });

  it('who enters a running workload begins an exec session, and its alerts name it', async () => {
    using cgroup = makeCgroup();
    await host.apply(blocking('session', '/usr/bin/base64', { selector: { matchLabels: { app: 'entered' } } }));
    const container = {
      containerId: 'entered-1',
      namespace: 'demo',
      pod: 'entered',
      container: 'c',
      labels: { app: 'entered' },
    };
    await host.ask('PUT', '/v1/workloads', { ...container, cgroup: cgroup.path, hostMounts: true });
    const enter = (script: string) => {
      const line = `echo 0 > ${cgroup.path}/cgroup.procs && exec /bin/sh -c '${script}'`;
      return once(spawn('/bin/sh', ['-c', line], { stdio: 'ignore' }), 'exit');
    };
    expect(await enter('base64 /dev/null; true')).toEqual([0, null]);
    expect(await enter('base64 /dev/null; true')).toEqual([0, null]);
    await host.ask('DELETE', '/v1/workloads', { containerId: 'entered-1' });
    const [first, second] = await host.alerts('entered');
    expect(first).not.toHaveProperty('ExecEvent');
    expect(second?.ExecEvent).toEqual({ ExecID: expect.stringMatching(/^\d+$/), ExecutableName: 'dash' });
  });

  it('a second agent with the same folders says that one is there, and leaves it alone', async () => {
    const { status, stderr } = await picket(['agent', '--config', host.path('agent.yaml')]);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `picket: an agent already acts on this machine (it answers on ${host.socket}); stop it first, or use it\n`,
    );
    const up = await picket(['up', '--config', host.path('agent.yaml')]);
    expect(up).toEqual({ status: 1, stdout: '', stderr });
    // Another socket, the same state: the spool has one owner.
    const config = readFileSync(host.path('agent.yaml'), 'utf8').replace(host.path('run'), host.path('other-run'));
    const other = await picket(['agent', '--config', host.write('other.yaml', config)]);
    expect(other).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^picket: Cannot open the spool .* is the program running already\?\n$/),
    });
    expect(await host.ask('GET', '/v1/status')).toMatchObject({ pid: agent.child.pid });
  });

  it('refuses what is no workload, and keeps nothing of it', async () => {
    const record = { containerId: 'x', namespace: 'demo', pod: 'x', container: 'x' };
    await expect(host.ask('PUT', '/v1/workloads', { ...record, cgroup: '/nowhere' })).rejects.toThrow(
      /the cgroup \/nowhere does not exist/,
    );
    await expect(host.ask('DELETE', '/v1/workloads', { containerId: 'x' })).rejects.toThrow(
      'no workload with the container id x',
    );
    const { workloads } = await host.ask<{ workloads: unknown[] }>('GET', '/v1/workloads');
    expect(workloads).toEqual([]); // those that ran have ended
  });

  it('picket status tells backend, counters and a ledger that adds up', async () => {
    await host.ask('POST', '/v1/flush', {});
    const { stdout } = await picket(['status', '--json', '--config', host.path('agent.yaml')]);
    const { agent: status, collector } = JSON.parse(stdout);
    expect(status).toMatchObject({ backend: 'tracepoint', bootId: bootId(), workloads: 0, abi: abi.ABI });
    const { used, room } = status.tables.patterns;
    expect(status.tables).toMatchObject({ workloads: { used: 0, room: 16383 }, cgroups: { used: 0 } });
    expect([used >= 0, room > used]).toEqual([true, true]);
    const { emitted, delivered, queued, dropped, unread } = status.ledger;
    expect(emitted).toBeGreaterThan(10);
    expect({ delivered, queued, dropped, unread }).toEqual({
      delivered: emitted,
      queued: 0,
      dropped: { refused: 0, spool: 0 },
      unread: { broken: 0, unnamed: 0 },
    });
    expect(status.counters).toMatchObject({
      ring_deny_lost: 0,
      ring_audit_lost: 0,
      scratch_busy: 0,
      task_storage_failed: 0,
    });
    expect(collector.received.logs).toMatchObject({ receivedRecords: emitted, rejectedRecords: 0 });
    const text = await picket(['status', '--config', host.path('agent.yaml')]);
    expect(text.stdout).toMatch(/^agent\n {2}version .*\n.*backend +tracepoint.*\nworkloads\n/s);
  });

  it('says once of a workload under file rules that it uses io_uring, which nothing here sees; ioUring: deny ends who does', async () => {
    const ring = `perl -e '$p = "\\0" x 120; exit(syscall(425, 1, $p) < 0 ? 7 : 0)'; echo $?`;
    const policy = policyOf('rings', { file: { matchPaths: [{ path: '/etc/none' }] }, action: 'Block' });
    await host.apply(policy);
    const uncovered = async (): Promise<string[]> => {
      const { results } = await host.ask<{ results: PolicyResult[] }>('GET', '/v1/policies');
      const { diagnostics = [] } = results.find(({ name }) => name === 'rings') ?? {};
      return diagnostics.flatMap(({ code, message }) =>
        code === 'NotCovered' && message.includes('io_uring') ? message : [],
      );
    };
    expect(await uncovered()).toEqual([]);
    const stop = host.path('stop');
    const first = host.run('rings', {}, `${ring}; ${ring}; while ! test -e ${stop}; do sleep 0.1; done`, 'demo');
    await vi.waitUntil(async () => (await uncovered()).length > 0, { timeout: 20_000 });
    expect(await uncovered()).toEqual([expect.stringContaining('demo/rings/rings-container')]);
    writeFileSync(stop, '');
    expect((await first).stdout).toBe('0\n0\n');
    const told = async () =>
      (await host.alerts('rings')).map(({ Type, Operation, Data, Action, Result }) => ({
        Type,
        Operation,
        Data,
        Action,
        Result,
      }));
    const notCovered = { Type: 'SystemEvent', Operation: 'NotCovered', Data: 'syscall=SYS_IO_URING_SETUP entries=1' };
    expect(await told()).toEqual([{ ...notCovered }]);
    await host.ask('PUT', '/v1/settings', { ioUring: 'deny' });
    try {
      expect((await host.run('rings', {}, ring, 'demo')).stdout).toBe(`${killed}\n`);
      expect(await told()).toEqual([notCovered, { ...notCovered, Action: 'Block', Result: 'Killed' }]);
    } finally {
      await host.ask('PUT', '/v1/settings', { ioUring: 'allow' });
    }
  });

  it('takes its programs out of the kernel when it ends, and removes its socket', async () => {
    const pid = agent.child.pid ?? 0;
    const objects = bpfObjects(pid);
    expect(objects.filter((object) => object.startsWith('prog')).length).toBeGreaterThan(5);
    expect(stillThere(objects)).toEqual(objects);
    const started = performance.now();
    expect(await agent.stop('SIGTERM')).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
    await vi.waitUntil(() => stillThere(objects).length === 0, { timeout: 10_000 });
    expect(existsSync(host.socket)).toBe(false);
    const log = agent.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(log.filter(({ level }) => level >= 50)).toEqual([]);
    expect(log.at(-1)).toMatchObject({ msg: 'stopping' });
  });
});

describe.skipIf(missingForHost)(named('agent on this kernel, apart from its collector', missingForHost), () => {
  it('keeps alerts while the collector is away, over a kill and a new start, and delivers them when it comes', async () => {
    await using host = await Host.make();
    host.write('policies/block.yaml', blocking('from-folder', '/usr/bin/base64'));
    const first = await host.startAgent();
    expect(await host.runScript('base64 /dev/null; base64 /dev/null; true', { pod: 'early' })).toBe(0);
    expect(await host.ask('POST', '/v1/flush', { timeoutMs: 300 })).toEqual({ delivered: false, alerts: 2 });
    const objects = bpfObjects(first.child.pid ?? 0);
    await first.stop('SIGKILL');
    await vi.waitUntil(() => stillThere(objects).length === 0, { timeout: 10_000 });
    expect(existsSync(host.socket)).toBe(true); // nobody could remove it

    await host.startAgent();
    expect(await host.runScript('base64 /dev/null; true', { pod: 'early' })).toBe(0);
    await sleep(300); // it has tried, and waits
    await host.startCollector();
    const alerts = await host.alerts('early');
    expect(alerts.map(({ Result, Picket: { Seq, Epoch } }) => [Result, Seq, Epoch.split('-')[1]])).toEqual([
      ['Killed', 1, '1'],
      ['Killed', 2, '1'],
      ['Killed', 1, '2'],
    ]);
    expect(await host.ask('GET', '/v1/status')).toMatchObject({ ledger: { emitted: 1, delivered: 3, queued: 0 } });
  });

  it('starts with the good policies of its folder beside bad ones and an unreadable file', async () => {
    await using host = await Host.make();
    host.write('policies/1-good.yaml', blocking('good', '/usr/bin/base64'));
    host.write('policies/2-bad.yaml', 'kind: [');
    mkdirSync(host.path('policies/3-folder.yaml'));
    host.write(
      'policies/4-wrong.yaml',
      policyOf('wrong', { network: { matchProtocols: [{ protocol: 'tpc' }] }, action: 'Block' }),
    );
    host.write('policies/notes.txt', 'no policy');
    const agent = await host.startAgent();
    const { results } = await host.ask<{ results: PolicyResult[] }>('GET', '/v1/policies');
    expect(results.map(({ name, status }) => [name, status])).toEqual([
      ['good', 'Applied'],
      ['wrong', 'Invalid'],
    ]);
    for (const file of ['2-bad.yaml:1:', '3-folder.yaml:1:1: error InvalidValue: cannot be read', '4-wrong.yaml:1:'])
      expect(agent.stderr).toContain(`${host.policies}/${file}`);
  });

  it('says which policy folder cannot be read, and does not start', async () => {
    await using host = await Host.make();
    const config = readFileSync(host.path('agent.yaml'), 'utf8').replace(host.policies, '/nowhere');
    const { status, stderr } = await picket(['agent', '--config', host.write('agent.yaml', config)]);
    expect([status, stderr.split('\n').at(-2)]).toEqual([
      1,
      "picket: the policy folder /nowhere cannot be read: ENOENT: no such file or directory, scandir '/nowhere'",
    ]);
    expect(existsSync(host.socket)).toBe(false);
  });

  it('ends when it is asked to unload', async () => {
    await using host = await Host.make();
    const agent = await host.startAgent();
    const answer = await host.ask<{ removed: { programs: number[] }[] }>('POST', '/v1/unload');
    expect(answer).toEqual({
      unloaded: true,
      removed: [{ path: '', links: expect.any(Array), programs: expect.any(Array), maps: expect.any(Array) }],
    });
    expect(answer.removed[0]?.programs.length).toBeGreaterThan(5);
    expect(await agent.end()).toBe(0);
  });
});

describe.skipIf(missingForHost)(named('picket up on this kernel', missingForHost), () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('takes everything out again within 5 seconds after %s', async (signal) => {
    await using host = await Host.make();
    host.write('policies/block.yaml', blocking('from-folder', '/usr/bin/base64'));
    const files = ['--config', host.path('agent.yaml'), '--collector-config', host.path('collector.yaml')];
    await using up = new Picket(['up', '--no-demo', '--json', ...files]);
    await vi.waitUntil(() => up.stderr.includes('Ctrl-C') || up.child.exitCode !== null, { timeout: 60_000 });
    expect(up.stderr).toMatch(
      /^Backend {4}tracepoint: .*\nCollector .*alerts to store\nPolicy {5}demo\/from-folder Applied \(KubeArmorPolicy\)\n/,
    );
    expect(await host.runScript('base64 /dev/null; true', { pod: 'up' })).toBe(0);
    await vi.waitUntil(() => up.stdout.includes('\n'), { timeout: 20_000 });
    expect(JSON.parse(up.stdout)).toMatchObject({ PodName: 'up', Result: 'Killed', HostName: 'this-host' });

    const objects = bpfObjects(up.child.pid ?? 0);
    const children = readFileSync(`/proc/${up.child.pid}/task/${up.child.pid}/children`, 'utf8').trim().split(' ');
    expect(children).toHaveLength(2);
    const started = performance.now();
    expect(await up.stop(signal)).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
    await vi.waitUntil(() => stillThere(objects).length === 0, { timeout: 10_000 });
    expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(up.stderr).toMatch(/Everything is out of the kernel again\.\n$/);
  });

  it('ends with a message when its collector cannot start', async () => {
    await using host = await Host.make();
    host.write('collector.yaml', 'otlp: 5\n');
    const files = ['--config', host.path('agent.yaml'), '--collector-config', host.path('collector.yaml')];
    const { status, stderr } = await picket(['up', '--no-demo', ...files]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${host.path('collector.yaml')}:1:1: otlp: found 5`);
    expect(stderr).toMatch(/picket: the collector ended with status 1; its last lines say why\n$/);
  });
});

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
