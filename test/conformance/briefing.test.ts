import { describe, expect, test } from 'vitest';
import { type Settings, settingsSchema } from '../../agent/policy/settings.ts';
import { Briefing, PREPARATION_LIMIT_MS } from './briefing.ts';
import { carryOut } from './change.ts';
import type { Policy } from './schema.ts';
import type { Announced } from './stage.ts';

interface Told {
  policies?: { name: string; metadata?: { name: string } }[];
  [key: string]: unknown;
}

/** An agent that keeps what it is told, and the requests in order. */
class FakeAgent {
  readonly settings: Settings = settingsSchema.parse({ fileBaseline: 'off' });
  now: Record<string, unknown> = { ...this.settings };
  policies = new Set<string>();
  workloads = new Map<string, Told>();
  asked: string[] = [];
  refused = new Set<string>();
  readonly limits = new Map<string, number | undefined>();

  control = async <T>(method: string, path: string, body?: unknown, limitMs?: number): Promise<T> => {
    this.limits.set(path, limitMs);
    this.asked.push(`${method} ${path}`);
    return this.#answer(`${method} ${path}`, body as Told) as T;
  };

  #answer(request: string, body: Told): unknown {
    const { policies = [] } = body ?? {};
    switch (request) {
      case 'PUT /v1/settings':
        this.now = { ...this.now, ...body };
        return {};
      case 'PUT /v1/workloads':
        this.workloads.set(String(body.containerId), body);
        return {};
      case 'DELETE /v1/workloads':
        if (!this.workloads.delete(String(body.containerId))) throw new Error('no such workload');
        return {};
      case 'PUT /v1/policies':
        for (const { metadata } of policies) this.policies.add(String(metadata?.name));
        return {};
      case 'DELETE /v1/policies':
        return { deleted: policies.filter(({ name }) => this.policies.delete(name)) };
      case 'GET /v1/policies':
        return {
          results: [...this.policies].map((name) => ({
            ...{ kind: 'K', namespace: 'n', name },
            diagnostics: [{ policy: name, code: 'NoRules' }],
          })),
          diagnostics: [{ namespace: 'n', code: 'InvalidAnnotation' }],
        };
      default:
        throw new Error(`nobody asks ${request}`);
    }
  }
}

const policy = (name: string): Policy => ({ apiVersion: 'v1', kind: 'K', metadata: { name } });
const announced = (pod: string, namespace = 'n'): Announced => ({
  pod: { namespace, name: pod, labels: { app: pod }, containers: ['c'] },
  name: 'c',
  container: { id: `id-${namespace}-${pod}`, cgroup: `/cgroup/${pod}` },
});
const blocking = { file: 'block', network: 'block', capabilities: 'block' } as const;
const given = { posture: blocking, config: undefined, annotations: {} };

describe('Briefing', () => {
  test('tells postures, agent settings and annotations of namespaces before anything else', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.begin({
      posture: { ...blocking, network: 'audit' },
      config: { throttleSec: 5 },
      annotations: { namespaces: { n: { key: 'value' } } },
    });
    expect(agent.now).toMatchObject({
      fileBaseline: 'off',
      defaultFilePosture: 'block',
      defaultNetworkPosture: 'audit',
      throttleSec: 5,
      namespaceAnnotations: { n: { key: 'value' } },
    });
  });

  test('an agent that cannot throttle is not told to leave it off', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.begin({ ...given, config: { alertThrottling: false } });
    expect(agent.now).not.toHaveProperty('alertThrottling');
  });

  test('a change has ten seconds, the policies before the first step more', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.apply([policy('a')], PREPARATION_LIMIT_MS);
    expect(agent.limits.get('/v1/policies')).toBe(60_000);
    await briefing.apply([policy('b')]);
    expect(agent.limits.get('/v1/policies')).toBe(10_000);
  });

  test('registers containers with labels and the annotations of their pod, by its short and its whole name', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.begin({
      ...given,
      annotations: { pods: { one: { short: 'yes' }, 'n/one': { whole: 'yes' }, 'm/one': { other: 'no' } } },
    });
    await briefing.register(announced('one'));
    await briefing.register(announced('two'));
    expect([...agent.workloads.values()]).toEqual([
      {
        cgroup: '/cgroup/one',
        containerId: 'id-n-one',
        namespace: 'n',
        pod: 'one',
        container: 'c',
        image: 'picket-fixture:latest',
        labels: { app: 'one' },
        annotations: { short: 'yes', whole: 'yes' },
      },
      expect.objectContaining({ containerId: 'id-n-two', annotations: {} }),
    ]);
  });

  test('an annotation at run time reaches its pods alone and keeps the earlier ones', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.begin({ ...given, annotations: { pods: { one: { a: '1' } }, namespaces: { n: { x: '1' } } } });
    for (const pod of ['one', 'two']) await briefing.register(announced(pod));
    agent.asked = [];
    await briefing.annotate({ pods: { 'n/one': { b: '2' } } });
    expect(agent.asked).toEqual(['PUT /v1/workloads']);
    expect(agent.workloads.get('id-n-one')?.annotations).toEqual({ a: '1', b: '2' });
    await briefing.annotate({ namespaces: { n: { y: '2' }, m: { z: '3' } } });
    expect(agent.now.namespaceAnnotations).toEqual({ n: { x: '1', y: '2' }, m: { z: '3' } });
  });

  test('changes the postures that are given and leaves the others', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.begin(given);
    await briefing.changePosture({ file: 'audit' });
    expect(agent.now).toMatchObject({ defaultFilePosture: 'audit', defaultNetworkPosture: 'block' });
  });

  test('deleting a policy that the agent does not know is an error', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    await briefing.apply([policy('a')]);
    await expect(briefing.delete(['a', 'b'])).rejects.toThrow('the agent knows no policy b');
    expect([...agent.policies]).toEqual([]);
  });

  test('collects what is said of policies and of annotations', async () => {
    await using briefing = new Briefing(new FakeAgent());
    await briefing.apply([policy('a')]);
    expect(await briefing.diagnostics()).toEqual([
      { policy: 'a', code: 'NoRules' },
      { namespace: 'n', code: 'InvalidAnnotation' },
    ]);
  });

  test('takes back workloads, policies and settings, also when one cannot be taken back', async () => {
    const agent = new FakeAgent();
    const briefing = new Briefing(agent);
    await briefing.begin({ ...given, config: { throttleSec: 5 }, annotations: { namespaces: { n: { x: '1' } } } });
    await briefing.register(announced('one'));
    await briefing.register(announced('two'));
    await briefing.apply([policy('a'), policy('b')]);
    await briefing.changePosture({ file: 'audit' });
    await briefing[Symbol.asyncDispose]();
    expect([agent.workloads.size, agent.policies.size]).toEqual([0, 0]);
    expect(agent.now).toMatchObject(agent.settings);

    const again = new Briefing(agent);
    await again.register(announced('one'));
    await again.apply([policy('a')]);
    await again.changePosture({ file: 'audit' });
    agent.workloads.clear();
    await expect(again[Symbol.asyncDispose]()).rejects.toThrow('no such workload');
    expect(agent.policies.size).toBe(0);
    expect(agent.now).toMatchObject(agent.settings);
  });
});

describe('carryOut()', () => {
  test('each form of a step reaches the agent', async () => {
    const agent = new FakeAgent();
    await using briefing = new Briefing(agent);
    const started: string[] = [];
    const stage = {
      async start({ name, namespace }: { name: string; namespace: string }, announce: (a: Announced) => Promise<void>) {
        await announce(announced(name, namespace));
        started.push([...agent.workloads.keys()].join());
      },
    };
    await carryOut({ kind: 'apply', apply: [policy('a'), policy('b')] }, briefing, stage);
    expect([...agent.policies]).toEqual(['a', 'b']);
    await carryOut({ kind: 'delete', delete: ['a'] }, briefing, stage);
    expect([...agent.policies]).toEqual(['b']);
    await carryOut({ kind: 'posture', posture: { network: 'audit' } }, briefing, stage);
    expect(agent.now.defaultNetworkPosture).toBe('audit');
    await carryOut({ kind: 'annotate', annotate: { namespaces: { n: { k: 'v' } } } }, briefing, stage);
    expect(agent.now.namespaceAnnotations).toEqual({ n: { k: 'v' } });
    // The workload is registered before its first program, which the stage starts after the announcement
    const start = { namespace: 'later', pod: 'late', labels: {}, containers: ['c'] };
    await carryOut({ kind: 'start', start }, briefing, stage);
    expect(started).toEqual(['id-later-late']);
  });
});
