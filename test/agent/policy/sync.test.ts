import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { Engine } from '../../../agent/kernel/engine.ts';
import { KernelError } from '../../../agent/kernel/error.ts';
import { Enforcement } from '../../../agent/policy/enforcement.ts';
import { randomHashKey } from '../../../agent/policy/hash.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { RuleSetTable } from '../../../agent/policy/sync.ts';
import { WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import { missingForHost } from '../host.ts';
import { named } from '../kernel/compile.ts';
import { makeCgroup } from '../workload/cgroups.ts';

const { set: setField } = abi.workload.fields;

const policyOf = (name: string, path: string) =>
  parsePolicyObject({
    ...{ apiVersion: 'security.kubearmor.com/v1', kind: 'KubeArmorPolicy', metadata: { name, namespace: 'demo' } },
    spec: { process: { matchPaths: [{ path }] }, action: 'Block' },
  });

describe.skipIf(missingForHost)(named('rules that the kernel does not take', missingForHost), () => {
  let engine: Engine;
  beforeAll(() => {
    const rings = { denyRingBytes: 65536, auditRingBytes: 65536 };
    engine = new Engine({ backend: 'tracepoint', hashKey: randomHashKey(), ...rings });
  });
  afterAll(() => engine?.[Symbol.dispose]());

  /** The engine, in which changes of one map fail as long as `failure` is set. */
  function failing(map: string, method: 'update' | 'updateInner') {
    const state: { failure: KernelError | undefined } = { failure: undefined };
    const wrapped = new Proxy(engine, {
      get: (_, property) => {
        const value: unknown = Reflect.get(engine, property, engine);
        if (property !== 'map') return typeof value === 'function' ? value.bind(engine) : value;
        return (name: string) => {
          const real = engine.map(name);
          if (name !== map) return real;
          return new Proxy(real, {
            get: (_target, key) => {
              const member: unknown = Reflect.get(real, key, real);
              if (typeof member !== 'function') return member;
              return (...values: unknown[]) => {
                if (key === method && state.failure !== undefined) throw state.failure;
                return member.apply(real, values);
              };
            },
          });
        };
      },
    });
    return { state, engine: wrapped };
  }

  it.each([
    ['no memory', 'picket_rules', 'updateInner', new KernelError('no-memory', 'ENOMEM (12)', { errno: 12 })],
    ['no room', 'picket_sets', 'update', new KernelError('full', 'E2BIG (7)', { errno: 7 })],
  ] as const)('leave those of before in force: %s', (_, map, method, failure) => {
    const broken = failing(map, method);
    using cgroup = makeCgroup();
    const registry = new WorkloadRegistry(broken.engine);
    const table = new RuleSetTable(broken.engine);
    const enforcement = new Enforcement(broken.engine, table, registry, defaultSettings);
    const record = { cgroup: cgroup.path, containerId: 'c', namespace: 'demo', pod: 'p', container: 'c' };
    const workload = registry.prepare(workloadSchema.parse({ ...record, hostMounts: true }));
    enforcement.cover(workload);
    const [first] = enforcement.apply([policyOf('one', '/usr/bin/base64')]);
    expect(first).toMatchObject({ status: 'Applied', workloads: 1 });
    const inForce = () => engine.workloads.load(workload.slot, setField.offset);
    const [before, generation, sets] = [inForce(), enforcement.generation, table.size];

    broken.state.failure = failure;
    const [refused] = enforcement.apply([policyOf('one', '/usr/bin/id')]);
    expect(refused).toMatchObject({
      status: 'Invalid',
      diagnostics: expect.arrayContaining([
        expect.objectContaining({
          code: 'LoadFailed',
          message: `${failure.message}; the rules in force before stay`,
        }),
      ]),
    });
    expect(enforcement.policies).toMatchObject([{ status: 'Invalid', observedGeneration: generation, workloads: 1 }]);
    expect([inForce(), enforcement.generation, table.size]).toEqual([before, generation, sets]);

    // Whatever is changed: without the policy, and under another posture, the rules are others.
    const stays = expect.objectContaining({ message: `${failure.message}; the rules in force before stay` });
    expect(() => enforcement.delete([{ name: 'one' }])).toThrow(stays);
    expect(() => enforcement.changeSettings({ ...defaultSettings, enforcement: 'audit' })).toThrow(stays);
    expect(enforcement.settings.enforcement).toBe('enforce');
    expect(enforcement.policies).toMatchObject([{ name: 'one', workloads: 1 }]);
    expect([inForce(), enforcement.generation, table.size]).toEqual([before, generation, sets]);

    broken.state.failure = undefined;
    const [later] = enforcement.apply([policyOf('one', '/usr/bin/id')]);
    expect(later).toMatchObject({ status: 'Applied', observedGeneration: generation + 1 });
    expect(table.size).toBe(sets);
    expect(Number(inForce() >> 32n)).toBe(generation + 1);
    enforcement.uncover([workload]);
    expect(table.size).toBe(0);
  });
});
