import { describe, expect, it } from 'vitest';
import { type Alert, encodeAlertJson, type SystemEvent, type VerdictAlert } from '../../../otel/alert.ts';
import { isAlertRecord, toRecord } from '../../../otel/mapping/mapping.ts';
import type { KeyValue } from '../../../otel/otlp/attribute.ts';
import { unlinkAlert } from '../sample-alerts.ts';

const context = { observedNs: 1661936135368999000n, kernelRelease: '6.1.0', bootId: 'b', errno: 0, processSpanId: '' };

/** Attributes as a plain object, for comparing. */
function plain(pairs: readonly KeyValue[]): Record<string, unknown> {
  const value = (any: KeyValue['value']): unknown => {
    if (any.kind === 'array') return any.value.map(value);
    if (any.kind === 'map') return plain(any.value);
    return any.kind === 'empty' ? null : any.value;
  };
  const names = pairs.map(({ key }) => key);
  expect(names.length).toBe(new Set(names).size);
  return Object.fromEntries(pairs.map((pair) => [pair.key, value(pair.value)]));
}

function attributes(change: Partial<VerdictAlert>, errno = 0): Record<string, unknown> {
  return plain(toRecord({ ...unlinkAlert, ...change } as Alert, { ...context, errno }).attributes);
}

describe('toRecord()', () => {
  it('writes the sample alert field by field', () => {
    const { attributes, ...record } = toRecord(unlinkAlert, context);
    expect(record).toEqual({
      timeUnixNano: 1661936135368285000n,
      observedTimeUnixNano: 1661936135368999000n,
      severityNumber: 11,
      severityText: '3',
      body: { kind: 'string', value: 'audit-all-unlink: Audit Syscall /home/secret.txt' },
      flags: 1,
      traceId: '4b801ecef4da8ba67f6098388466e4a3',
      spanId: '810fefb32af86fb2',
      eventName: 'picket.alert.syscall',
    });
    expect(plain(attributes)).toEqual({
      'log.record.uid': '01GBSHSV68K0QH6Q3S9X0WJ7ZN',
      'picket.seq': 1042,
      'picket.epoch': '0b6f7d0e-1',
      'process.pid': 296264,
      'process.parent_pid': 255296,
      'process.vpid': 65,
      'picket.process.parent_vpid': 47,
      'process.user.id': 0,
      'process.executable.path': '/usr/bin/unlink',
      'process.executable.name': 'unlink',
      'picket.process.parent_executable_path': '/bin/bash',
      'process.command_line': '/usr/bin/unlink home/secret.txt',
      'process.working_directory': '/',
      'process.interactive': false,
      'security_rule.name': 'audit-all-unlink',
      'security_rule.uuid': '5e0c6e7a-9a55-4d0e-8f5f-8d3a2f4f1b6c',
      'security_rule.version': '7',
      'security_rule.category': 'syscall',
      'picket.rule.kind': 'KubeArmorPolicy',
      'picket.rule.namespace': 'default',
      'picket.rule.path': 'spec.syscalls.matchSyscalls[0]',
      'picket.severity': 3,
      'picket.type': 'MatchedPolicy',
      'picket.resource': '/home/secret.txt',
      'file.path': '/home/secret.txt',
      'picket.data': 'syscall=SYS_UNLINK',
      'picket.syscall.name': 'SYS_UNLINK',
      'picket.action': 'Audit',
      'picket.result': 'Passed',
      'picket.outcome': 'success',
      'picket.errno': 0,
    });
  });

  const refusal = { Action: 'Block', Result: 'Permission denied' } as const;

  it('gives a new program its own command line and the parent as its source', () => {
    const got = attributes(
      {
        ...{ Operation: 'Process', ProcessName: '/usr/bin/sleep', Resource: '/usr/bin/sleep 1', Source: '/bin/bash' },
        ...{ Data: 'lsm=SECURITY_BPRM_CHECK', ...refusal },
      },
      13,
    );
    expect(got).toMatchObject({
      'process.command_line': '/usr/bin/sleep 1',
      'process.executable.name': 'sleep',
      'picket.process.parent_executable_path': '/bin/bash',
      'security_rule.category': 'process',
      'picket.hook': 'SECURITY_BPRM_CHECK',
      'picket.outcome': 'failure',
      'picket.errno': 13,
    });
    expect(got).not.toHaveProperty('picket.source');
    expect(got).not.toHaveProperty('file.path');
  });

  it('carries the source of a new program verbatim where the parent is not known', () => {
    const { ParentProcessName: _, ...orphan } = unlinkAlert;
    const record = toRecord({ ...orphan, Operation: 'Process', Source: '/bin/init' }, context);
    expect(plain(record.attributes)).toMatchObject({ 'picket.source': '/bin/init' });
  });

  it.each([
    ['/etc/passwd', { 'file.path': '/etc/passwd', 'file.name': 'passwd', 'file.directory': '/etc' }],
    ['/a', { 'file.path': '/a', 'file.name': 'a', 'file.directory': '/' }],
    ['memfd:x', { 'file.path': 'memfd:x', 'file.name': 'memfd:x' }],
  ])('takes the file %s apart', (Resource, expected) => {
    const got = attributes({ Operation: 'File', Resource, Data: 'lsm=FILE_OPEN' });
    expect(got).toMatchObject({ ...expected, 'security_rule.category': 'file', 'picket.hook': 'FILE_OPEN' });
    expect('file.directory' in got).toBe('file.directory' in expected);
  });

  it.each<[string, string, Record<string, unknown>]>([
    [
      'domain=AF_INET type=SOCK_STREAM protocol=TCP',
      'lsm=SOCKET_CREATE protocol=TCP type=SOCK_STREAM',
      {
        ...{ 'network.type': 'ipv4', 'network.transport': 'tcp', 'picket.hook': 'SOCKET_CREATE' },
        ...{ 'picket.socket.type': 'SOCK_STREAM', 'picket.socket.protocol': 'TCP' },
      },
    ],
    [
      'sa_family=AF_INET sin_port=8080 sin_addr=127.0.0.1',
      'lsm=SOCKET_BIND protocol=TCP type=SOCK_STREAM',
      {
        ...{ 'network.type': 'ipv4', 'network.local.address': '127.0.0.1', 'network.local.port': 8080 },
        ...{ 'network.transport': 'tcp', 'network.peer.port': undefined },
      },
    ],
    [
      'sa_family=AF_INET6 sin6_port=443 sin6_addr=2001:db8::1',
      'lsm=SOCKET_CONNECT protocol=UDP type=SOCK_DGRAM',
      {
        'network.type': 'ipv6',
        'network.peer.address': '2001:db8::1',
        'network.peer.port': 443,
        'network.transport': 'udp',
      },
    ],
    [
      'sa_family=AF_INET sin_port=53 sin_addr=10.96.0.10',
      'lsm=SOCKET_SENDMSG domain=www.google.com',
      { 'dns.question.name': 'www.google.com', 'network.peer.port': 53, 'network.transport': undefined },
    ],
    [
      'domain=AF_INET type=SOCK_RAW protocol=255',
      'lsm=SOCKET_CREATE protocol=255 type=SOCK_RAW',
      { 'network.transport': undefined },
    ],
    ['sa_family=AF_INET sin_port=x', 'lsm=SOCKET_CONNECT', { 'network.peer.port': undefined }],
  ])('takes the connection %s apart', (Resource, Data, expected) => {
    const got = attributes({ Operation: 'Network', Resource, Data });
    for (const [key, value] of Object.entries(expected)) expect([key, got[key]]).toEqual([key, value]);
  });

  it('names the capability', () => {
    const got = attributes({ Operation: 'Capabilities', Resource: 'CAP_NET_RAW', Data: 'lsm=CAPABLE CAP_NET_RAW' });
    expect(got).toMatchObject({
      'picket.capability': 'CAP_NET_RAW',
      'picket.hook': 'CAPABLE',
      'security_rule.category': 'capability',
    });
  });

  it('takes the arguments of a system call apart', () => {
    expect(attributes({ Data: 'syscall=SYS_UNLINKAT flags=AT_REMOVEDIR fd=3' })).toMatchObject({
      'picket.syscall.name': 'SYS_UNLINKAT',
      'picket.syscall.args.flags': 'AT_REMOVEDIR',
      'picket.syscall.args.fd': '3',
    });
  });

  it('finds ATT&CK techniques among the tags', () => {
    const ATags = ['MITRE', 'MITRE_T1082_system', 'T1059.004', 'NIST_T10', 'T12345', 'xT1082'];
    expect(attributes({ ATags, Tags: ATags.join(',') })).toMatchObject({
      'picket.tags': ATags,
      'picket.attack.technique': ['T1082', 'T1059.004'],
    });
  });

  it('has no error number for a process that was killed', () => {
    const got = attributes({ Action: 'Block', Result: 'Killed' }, 13);
    expect(got).toMatchObject({ 'picket.outcome': 'failure', 'picket.result': 'Killed' });
    expect(got).not.toHaveProperty('picket.errno');
  });

  it('says whether there is a terminal', () => {
    expect(attributes({ TTY: 'pts0' })).toMatchObject({ 'picket.process.tty': 'pts0', 'process.interactive': true });
  });

  it('takes the message as the body', () => {
    expect(toRecord({ ...unlinkAlert, Message: 'm' }, context).body).toEqual({ kind: 'string', value: 'm' });
    expect(attributes({ Message: 'm' })).toMatchObject({ 'security_rule.description': 'm' });
  });

  it('names category and posture when posture decided', () => {
    const Rule = { Category: 'file', Posture: 'block', Generation: 9 } as const;
    const posture = { PolicyName: 'DefaultPosture', Picket: { ...unlinkAlert.Picket, Rule } };
    const got = attributes(posture);
    expect(got).toMatchObject({
      'picket.rule.category': 'file',
      'picket.rule.posture': 'block',
      'security_rule.version': '9',
    });
    expect(got).not.toHaveProperty('picket.rule.kind');
  });

  it('takes the time from Timestamp only when UpdatedTime is none', () => {
    expect(toRecord({ ...unlinkAlert, UpdatedTime: 'soon' }, context).timeUnixNano).toBe(1661936135000000000n);
  });

  it('carries the JSON when asked to', () => {
    const record = toRecord(unlinkAlert, { ...context, original: true });
    expect(plain(record.attributes)['log.record.original']).toBe(encodeAlertJson(unlinkAlert));
  });

  it('carries a roll-up', () => {
    const rollup: SystemEvent = {
      ...unlinkAlert,
      ...{ Type: 'SystemEvent', Operation: 'AlertThreshold', MaxAlertsPerSec: 10, DroppingAlertsInterval: 30 },
      Picket: {
        ...unlinkAlert.Picket,
        Rollup: {
          ...{ Count: 3, FirstTime: '2022-08-31T08:55:35.368285Z', LastTime: '2022-08-31T08:55:36.368285Z' },
          ...{ Resources: [{ Value: '/a', Count: 3 }], Sources: [{ Value: 'rm', Count: 3 }], Truncated: true },
        },
      },
    };
    const record = toRecord(rollup, context);
    expect(record.eventName).toBe('picket.alert.throttled');
    expect(record.severityNumber).toBe(11);
    expect(plain(record.attributes)).toMatchObject({
      'picket.throttle.count': 3,
      'picket.throttle.first_time': '2022-08-31T08:55:35.368285Z',
      'picket.throttle.last_time': '2022-08-31T08:55:36.368285Z',
      'picket.throttle.resources': [{ value: '/a', count: 3 }],
      'picket.throttle.sources': [{ value: 'rm', count: 3 }],
      'picket.throttle.truncated': true,
      'picket.throttle.max_per_second': 10,
      'picket.throttle.interval_seconds': 30,
    });
  });
});

describe('severity of toRecord()', () => {
  it.each([
    ...[['1', 9] as const, ['2', 9] as const, ['3', 11] as const, ['4', 11] as const, ['5', 13] as const],
    ...[['6', 14] as const, ['7', 17] as const, ['8', 18] as const, ['9', 21] as const, ['10', 22] as const],
  ])('of %s is number %i', (Severity, number) => {
    const record = toRecord({ ...unlinkAlert, Severity }, context);
    expect([record.severityNumber, record.severityText]).toEqual([number, Severity]);
  });

  it.each([
    ['Block', 'Permission denied', 13],
    ['Audit', 'Passed', 9],
    ['Audit (Allow)', 'Passed', 9],
  ] as const)('of a posture with %s is by whether it refused', (Action, Result, number) => {
    const { Severity: _, ...rest } = unlinkAlert;
    const record = toRecord({ ...rest, PolicyName: 'DefaultPosture', Action, Result }, context);
    expect([record.severityNumber, record.severityText]).toEqual([number, Action]);
  });

  it('of system events is information', () => {
    const event: SystemEvent = { ...unlinkAlert, Type: 'SystemEvent', Operation: 'PathUnresolved', Severity: '10' };
    expect(toRecord(event, context).severityNumber).toBe(9);
  });
});

describe('isAlertRecord()', () => {
  it.each([
    ['picket.alert.process', true],
    ['picket.alert.sequence_gap', true],
    ['picket.alert.', false],
    ['picket.ledger', false],
    ['', false],
    ['constructor', false],
  ])('of %j is %s', (eventName, expected) => {
    expect(isAlertRecord({ eventName })).toBe(expected);
  });
});
