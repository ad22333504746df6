import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import type { Sensor } from '../../../agent/event/alert.ts';
import { Pipeline, type PipelineContext } from '../../../agent/event/pipeline.ts';
import { ProcessTable } from '../../../agent/event/processes.ts';
import type { EventRecord } from '../../../agent/event/record.ts';
import type { Emission } from '../../../agent/export/exporter.ts';
import type { Engine } from '../../../agent/kernel/engine.ts';
import { compile } from '../../../agent/policy/compile.ts';
import { namesOf } from '../../../agent/policy/lookup.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import type { RuleNames } from '../../../agent/policy/ruleset.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import type { Workload } from '../../../agent/workload/registry.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import { encodeEvent, eventOf, outcomeOf } from './records.ts';
import { FakeRing } from './rings.ts';

const { EVENT_EXEC, EVENT_EXIT, EVENT_PATH } = abi.eventKind;
const { EVENT_PATH_LATE, EVENT_PATH_UNRESOLVED } = abi.eventFlags;
const none = abi.outcome.OUTCOME_NONE;
const bootNs = 1_661_936_000_000_000_000n;

const record = workloadSchema.parse({
  ...{ cgroup: '/sys/fs/cgroup/x', containerId: 'c1', namespace: 'demo', pod: 'p', podUid: 'uid-1', container: 'c' },
  annotations: {},
});

/** A rule set with rules on unlink: one for each path, in this order; `*` names no path. */
function ruleSetOf(...paths: string[]): RuleNames {
  const policies = paths.flatMap((path, i) => {
    const rule =
      path === '*' ? { matchSyscalls: [{ syscall: ['unlink'] }] } : { matchPaths: [{ path, syscall: ['unlink'] }] };
    const name = `p${i}`;
    const spec = { severity: 10 - i, syscalls: rule };
    const { policy, diagnostics } = parsePolicyObject({
      ...{
        apiVersion: 'security.kubearmor.com/v1',
        kind: 'KubeArmorPolicy',
        metadata: { name, namespace: 'demo' },
        spec,
      },
    });
    if (policy === undefined) throw new Error(JSON.stringify(diagnostics));
    return [policy];
  });
  return namesOf(compile(policies, record, defaultSettings, new Map(paths.map((path) => [path, [path]]))));
}

const sensor: Sensor = {
  ...{ cluster: 'default', clusterUid: 'u', hostName: 'h', nodeId: 'n', version: '0.1.0', epoch: 'e-1' },
  boot: { id: 'boot', unixNs: bootNs },
};

let deny: FakeRing;
let audit: FakeRing;
let emitted: Emission[];
let started: number[];
let context: PipelineContext;
const workload: Workload = { id: 1n, slot: 1, record, rootPid: undefined, hostMounts: true, users: [], generation: 7 };

beforeEach(() => {
  [deny, audit, emitted, started] = [new FakeRing(), new FakeRing(), [], []];
  context = {
    sensor,
    kernelRelease: '6.1.0',
    processes: new ProcessTable(() => undefined),
    workload: (id) => (id === 1n ? workload : undefined),
    ruleSet: (_, generation) => (generation === 7 ? ruleSetOf('*') : undefined),
    judge: () => ({ verdict: 'pass', reason: '' }),
    kill: () => false,
    withRoot: (_, use) => use(() => ({ kind: 'other' })),
    started: (_, pid) => started.push(pid),
    emit: (emission) => emitted.push(emission),
    log: pino({ level: 'silent' }),
  };
});

const pipelineOf = () => {
  const rings: unknown = { id: 'maps', denyRing: deny, auditRing: audit };
  return new Pipeline(rings as Engine, context);
};
const alert = (change: Partial<EventRecord> = {}) => encodeEvent(eventOf({ path: '/a', ...change }));
const execOf = (pid: number, path: string) => encodeEvent(eventOf({ kind: EVENT_EXEC, pid, path, args: [path, 'x'] }));

describe('Pipeline.drain()', () => {
  it('numbers alerts 1, 2, 3, … with an id and the time of their events', () => {
    const pipeline = pipelineOf();
    audit.push(alert({ timeNs: 5_000_000n, seq: 1n }), alert({ timeNs: 4_000_000n, seq: 2n }));
    expect(pipeline.drain()).toBe(2);
    deny.push(alert({ timeNs: 6_000_000n, outcome: outcomeOf('DENY', abi.outcome.OUTCOME_POSTURE), result: -13 }));
    pipeline.drain();
    const alerts = emitted.map((emission) => emission.alert);
    expect(alerts.map(({ Picket }) => Picket.Seq)).toEqual([1, 2, 3]);
    const ids = alerts.map(({ Picket }) => Picket.AlertID);
    expect(new Set(ids).size).toBe(3); // also where record numbers are equal: in different rings
    expect(alerts.map(({ UpdatedTime }) => UpdatedTime.slice(-8))).toEqual(['.005000Z', '.004000Z', '.006000Z']);
    expect(emitted.map((emission) => emission.context.errno)).toEqual([0, 0, 13]);
    expect(emitted[0]?.context).toMatchObject({ podUid: 'uid-1', kernelRelease: '6.1.0', bootId: 'boot' });
    expect(pipeline.stats).toEqual({ records: 3, alerts: 3, broken: 0, unnamed: 0 });
  });

  it('knows what the first ring told about processes before it makes the alerts of the second', () => {
    audit.push(alert());
    deny.push(execOf(296264, '/usr/bin/rm'), encodeEvent(eventOf({ kind: EVENT_EXIT })));
    pipelineOf().drain();
    expect(emitted[0]?.alert).toMatchObject({ ProcessName: '/usr/bin/rm', Source: '/usr/bin/rm x' });
    expect(emitted[0]?.processSpans).toHaveLength(1);
    expect(started).toEqual([296264]);
  });

  it('takes the path of an alert from the record that was sent ahead', () => {
    audit.push(
      encodeEvent(eventOf({ kind: EVENT_PATH, pathHash: 99n, path: '/home/f' })),
      alert({ pathHash: 99n, path: '' }),
    );
    pipelineOf().drain();
    expect(emitted[0]?.alert.Resource).toBe('/home/f');
  });

  it('makes alerts of a full ring in several turns, and of the second ring last', () => {
    const pipeline = pipelineOf();
    const denial = { outcome: outcomeOf('DENY', abi.outcome.OUTCOME_POSTURE), result: -13 };
    deny.push(...Array.from({ length: 1000 }, () => alert(denial)));
    audit.push(alert());
    expect(pipeline.drain()).toBeLessThan(1000);
    expect(emitted.length).toBeLessThan(1000);
    pipeline.drain();
    expect(emitted).toHaveLength(1001);
    expect(emitted.at(-1)?.alert.Result).toBe('Passed');
  });

  it('counts a verdict whose workload, rule set or rule is gone, and numbers no alert for it', () => {
    const pipeline = pipelineOf();
    audit.push(alert({ workload: 2n }), alert({ generation: 6 }), alert({ outcome: outcomeOf('ALERT', 5) }), alert());
    pipeline.drain();
    expect(pipeline.stats).toMatchObject({ alerts: 1, unnamed: 3 });
    expect(emitted.map((emission) => emission.alert.Picket.Seq)).toEqual([1]);
  });

  it('names a posture even when the rule set is gone', () => {
    deny.push(alert({ generation: 6, outcome: outcomeOf('DENY', abi.outcome.OUTCOME_POSTURE) }));
    pipelineOf().drain();
    expect(emitted[0]?.alert.PolicyName).toBe('DefaultPosture');
  });

  it('skips and counts a record that cannot be read, and goes on', () => {
    const pipeline = pipelineOf();
    audit.push(Buffer.alloc(10), alert());
    deny.push(Buffer.alloc(199), alert());
    pipeline.drain();
    expect(pipeline.stats).toEqual({ records: 4, alerts: 2, broken: 2, unnamed: 0 });
  });

  it('loses one event alone when something fails on it', () => {
    context.withRoot = () => {
      throw new Error('no root');
    };
    const pipeline = pipelineOf();
    audit.push(alert(), alert({ flags: EVENT_PATH_LATE }), alert());
    deny.push(alert({ flags: EVENT_PATH_LATE }), alert());
    pipeline.drain();
    expect(pipeline.stats).toMatchObject({ records: 5, alerts: 3, broken: 2 });
    expect(emitted.map((emission) => emission.alert.Picket.Seq)).toEqual([1, 2, 3]);
  });

  it('sends the spans of processes again after forgetSpans()', () => {
    const pipeline = pipelineOf();
    deny.push(execOf(296264, '/bin/a'), alert(), alert());
    pipeline.drain();
    pipeline.forgetSpans();
    deny.push(alert());
    pipeline.drain();
    expect(emitted.map((emission) => emission.processSpans.length)).toEqual([1, 0, 1]);
  });
});

describe('Pipeline.drain() with a late path', () => {
  const late = (path: string, change: Partial<EventRecord> = {}) =>
    alert({ flags: EVENT_PATH_LATE, path, base: '/home', outcome: none, pathHash: 0n, ...change });

  it('judges it by the rule set that was in force at the call', () => {
    const sets: Record<number, RuleNames> = { 7: ruleSetOf('/home/f', '/x'), 8: ruleSetOf('/x', '/home/f', '/y') };
    context.ruleSet = (_, generation) => sets[generation];
    audit.push(late('f'), late('f', { generation: 8 }));
    pipelineOf().drain();
    expect(emitted.map(({ alert: { PolicyName, Resource } }) => [PolicyName, Resource])).toEqual([
      ['p0', '/home/f'],
      ['p1', '/home/f'],
    ]);
    expect(emitted[0]?.alert.Picket.Flags).toEqual(['path-late']);
  });

  it('prefers a rule with the path to one without, and falls back to that', () => {
    context.ruleSet = () => ruleSetOf('*', '/home/f');
    const everything = outcomeOf('ALERT', 0);
    audit.push(late('f', { outcome: everything }), late('other', { outcome: everything }));
    pipelineOf().drain();
    expect(emitted.map((emission) => emission.alert.PolicyName)).toEqual(['p1', 'p0']);
  });

  it('is no alert, and takes no number, when no rule names the path', () => {
    context.ruleSet = () => ruleSetOf('/home/f');
    const pipeline = pipelineOf();
    audit.push(late('other'), late('f'));
    pipeline.drain();
    expect(emitted.map((emission) => emission.alert.Picket.Seq)).toEqual([1]);
    expect(pipeline.stats).toMatchObject({ alerts: 1, unnamed: 0, broken: 0 });
  });

  it('joins without following links when the walk itself was refused', () => {
    context.withRoot = () => {
      throw new Error('must not be asked');
    };
    context.ruleSet = () => ruleSetOf('/home/f');
    audit.push(late('../home/./f', { flags: EVENT_PATH_LATE | EVENT_PATH_UNRESOLVED }));
    pipelineOf().drain();
    expect(emitted[0]?.alert).toMatchObject({ Resource: '/home/f', Picket: { Flags: ['path-unresolved'] } });
  });
});

describe('Pipeline.isPast()', () => {
  it('tells when everything before a mark has been read', () => {
    const pipeline = pipelineOf();
    expect(pipeline.isPast(pipeline.mark())).toBe(true);
    audit.push(...Array.from({ length: 1000 }, () => alert()));
    const mark = pipeline.mark();
    pipeline.drain();
    expect(pipeline.isPast(mark)).toBe(false);
    deny.push(alert());
    pipeline.drain();
    expect(pipeline.isPast(mark)).toBe(true);
  });
});
