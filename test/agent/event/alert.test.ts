import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { commandLine, rootOf, type Sensor, toAlert, toUnresolved, type Verdict } from '../../../agent/event/alert.ts';
import type { Process } from '../../../agent/event/processes.ts';
import type { EventRecord } from '../../../agent/event/record.ts';
import type { RuleInfo } from '../../../agent/policy/ruleset.ts';
import { hostRecord } from '../../../agent/workload/host.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import { alertSchema, encodeAlertJson } from '../../../otel/alert.ts';
import { traceId } from '../../../otel/ids.ts';
import { unlinkAlert, unlinkJson } from '../../otel/sample-alerts.ts';
import { eventOf, outcomeOf, posture } from './records.ts';

const flag = abi.eventFlags;
const { OPERATION_EXEC, OPERATION_OPEN } = abi.operation;

const sensor: Sensor = {
  cluster: 'default',
  clusterUid: '7c1f0a52-4a7e-4a5e-9d0c-5b9f5b1f6f10',
  hostName: 'vagrant',
  nodeId: '',
  version: '0.1.0',
  boot: { id: '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55', unixNs: 1661936035368285000n },
  epoch: '0b6f7d0e-1',
};

const workload = workloadSchema.parse({
  cgroup: '/sys/fs/cgroup/x',
  containerId: unlinkAlert.ContainerID,
  namespace: 'default',
  pod: 'ubuntu-1-6779f689b5-jjcvh',
  container: 'nginx',
  image: 'nginx:latest@sha256:b95a99feebf7797479e0c5eb5ec0bdfa5d9f504bc94da550c2f58e839ea6914f',
  labels: { container: 'ubuntu-1' },
});

const rule: RuleInfo = {
  category: 'syscalls',
  kind: 'KubeArmorPolicy',
  namespace: 'default',
  policy: 'audit-all-unlink',
  uid: '5e0c6e7a-9a55-4d0e-8f5f-8d3a2f4f1b6c',
  path: 'spec.syscalls.matchSyscalls[0]',
  action: 'Audit',
  severity: 3,
  tags: [],
  message: '',
};

const unlinking: Process = {
  pid: 296264,
  vpid: 65,
  startNs: 95_301_000_000n,
  ppid: 255296,
  parentStartNs: 81_250_000_000n,
  uid: 0,
  executable: '/usr/bin/unlink',
  args: ['home/secret.txt'],
  argsTruncated: false,
  cwd: '/',
};

function verdictOf({ event, ...change }: Partial<Omit<Verdict, 'event'>> & { event?: Partial<EventRecord> } = {}) {
  const verdict: Verdict = {
    event: eventOf(event),
    workload,
    rule,
    path: '/home/secret.txt',
    process: unlinking,
    parentExecutable: '/bin/bash',
    sessionExecutable: undefined,
    userName: undefined,
    timeNs: 1661936135368285000n,
    id: '01GBSHSV68K0QH6Q3S9X0WJ7ZN',
    seq: 1042,
    traceId: '4b801ecef4da8ba67f6098388466e4a3',
    ...change,
  };
  return verdict;
}

/** An alert, checked against its schema: what is empty there is left out, as on its way to a consumer. */
function alertOf(...change: Parameters<typeof verdictOf>) {
  const alert = toAlert(verdictOf(...change), { ...sensor, nodeId: '3d1219c7c4c5404aaa1f6d2a48adfda4' });
  expect(alertSchema.safeParse(alert).error?.issues).toBeUndefined();
  return alert;
}

describe('toAlert()', () => {
  it('gives the first sample alert of the reference, to the byte', () => {
    expect(encodeAlertJson(toAlert(verdictOf(), sensor))).toBe(unlinkJson);
  });

  it('belongs to the trace of its root and hour', () => {
    const { event } = verdictOf();
    const { containerId } = workload;
    expect(traceId(sensor.clusterUid, containerId, rootOf(event, sensor), 1661936135)).toBe(unlinkAlert.Picket.TraceID);
  });

  it('carries tags, message, owner, node and sorted labels', () => {
    const alert = alertOf({
      rule: { ...rule, tags: ['WARNING', 'MITRE_T1070'], message: 'a file went', severity: 10 },
      workload: {
        ...workload,
        labels: { group: 'group-1', container: 'ubuntu-1', 'app.kubernetes.io/name': 'web' },
        owner: { ref: 'Deployment', name: 'ubuntu-1-deployment', namespace: 'multiubuntu' },
      },
    });
    expect(alert).toMatchObject({
      NodeID: '3d1219c7c4c5404aaa1f6d2a48adfda4',
      Labels: 'app.kubernetes.io/name=web,container=ubuntu-1,group=group-1',
      Owner: { Ref: 'Deployment', Name: 'ubuntu-1-deployment', Namespace: 'multiubuntu' },
      Severity: '10',
      Tags: 'WARNING,MITRE_T1070',
      ATags: ['WARNING', 'MITRE_T1070'],
      Message: 'a file went',
    });
  });

  it('leaves out what is empty or unknown', () => {
    const { image: _, ...bare } = { ...workload, labels: {}, owner: { ref: 'Job', name: 'j', namespace: '' } };
    const alert = alertOf({ workload: bare, path: '', parentExecutable: '', event: { cwd: '' } });
    for (const key of ['ContainerImage', 'Labels', 'Resource', 'Cwd', 'TTY', 'ParentProcessName', 'ExecEvent', 'Tags'])
      expect(alert).not.toHaveProperty(key);
    expect(alert.Owner).toEqual({ Ref: 'Job', Name: 'j' });
    expect(alert.Picket).not.toHaveProperty('Flags');
  });

  it('ends the working directory with one slash, and names terminal and exec session', () => {
    const alert = alertOf({
      event: { cwd: '/home/user1', tty: 'pts0', execSession: 824416229130095n },
      sessionExecutable: '/usr/bin/bash',
    });
    expect(alert).toMatchObject({
      Cwd: '/home/user1/',
      TTY: 'pts0',
      ExecEvent: { ExecID: '824416229130095', ExecutableName: 'bash' },
    });
  });
});

describe('toAlert() of a program', () => {
  const exec = { operation: OPERATION_EXEC, category: abi.category.CATEGORY_PROCESS, syscall: 0 };
  const denied = { ...exec, outcome: outcomeOf('DENY', 0), result: -13, args: ['sleep', '1', 'two words'] };
  const shell: Process = { ...unlinking, executable: '/usr/bin/dash', args: ['-c', 'sleep 1'] };

  it('has the parent as Source and the command line of the new program as Resource', () => {
    expect(alertOf({ event: denied, path: '/usr/bin/sleep', process: shell })).toMatchObject({
      Operation: 'Process',
      ProcessName: '/usr/bin/sleep',
      ParentProcessName: '/bin/bash',
      Source: '/bin/bash',
      Resource: '/usr/bin/sleep 1 two words',
      Data: 'lsm=SECURITY_BPRM_CHECK',
      EventData: { Lsm: 'SECURITY_BPRM_CHECK' },
      Enforcer: 'BPFLSM',
      Action: 'Block',
      Result: 'Permission denied',
    });
  });

  it('shows the path alone when the arguments are not known', () => {
    const event = { ...denied, flags: flag.EVENT_NO_ARGS, args: [] };
    expect(alertOf({ event, path: '/usr/bin/sleep' }).Resource).toBe('/usr/bin/sleep');
  });

  it('spells an entry task /runc, whatever the runtime is, and lets it begin its exec session', () => {
    const event = { ...denied, flags: flag.EVENT_ENTRY, execSession: 5n };
    const alert = alertOf({ event, path: '/usr/bin/sleep', process: shell, parentExecutable: '/usr/bin/containerd' });
    expect(alert).toMatchObject({
      ProcessName: '/usr/bin/sleep',
      ParentProcessName: '/runc',
      Source: '/runc',
      ExecEvent: { ExecID: '5', ExecutableName: 'sleep' },
    });
  });

  it('is Killed by eBPF Tracepoint where the kernel cannot refuse', () => {
    const event = { ...denied, backend: abi.backend.BACKEND_TRACEPOINT, flags: flag.EVENT_KILLED };
    expect(alertOf({ event, path: '/usr/bin/sleep' })).toMatchObject({
      Data: 'lsm=SECURITY_BPRM_CHECK',
      Enforcer: 'eBPF Tracepoint',
      Action: 'Block',
      Result: 'Killed',
    });
  });

  it('says unknown when neither an event nor /proc told who acts', () => {
    const alert = alertOf({ event: denied, path: '', process: undefined, parentExecutable: undefined });
    expect(alert).toMatchObject({ ProcessName: '(unknown)', Source: '(unknown)' });
    expect(alert).not.toHaveProperty('ParentProcessName');
  });
});

describe('toAlert() of a file', () => {
  const open = { operation: OPERATION_OPEN, category: abi.category.CATEGORY_FILE, syscall: 0 };

  it.each([
    ['Block refused', outcomeOf('DENY', 0), 0, -13, 'Block', 'Permission denied', 'audit-all-unlink'],
    ['Audit matched', outcomeOf('ALERT', 0), 0, 0, 'Audit', 'Passed', 'audit-all-unlink'],
    ['posture block', outcomeOf('DENY', posture), 0, -13, 'Block', 'Permission denied', 'DefaultPosture'],
    ['posture audit', outcomeOf('ALERT', posture), 0, 0, 'Audit', 'Passed', 'DefaultPosture'],
    ['audited pod, rule', outcomeOf('DENY', 0), flag.EVENT_AUDITED, 0, 'Audit (Block)', 'Passed', 'audit-all-unlink'],
    [
      'audited pod, posture',
      outcomeOf('DENY', posture),
      flag.EVENT_AUDITED,
      0,
      'Audit (Allow)',
      'Passed',
      'DefaultPosture',
    ],
    ['killed', outcomeOf('DENY', 0), flag.EVENT_KILLED, -13, 'Block', 'Killed', 'audit-all-unlink'],
  ])('%s', (_, outcome, flags, result, action, word, policy) => {
    const named = policy === 'DefaultPosture' ? undefined : rule;
    const alert = alertOf({ event: { ...open, outcome, flags, result }, rule: named });
    expect(alert).toMatchObject({
      Action: action,
      Result: word,
      PolicyName: policy,
      Type: 'MatchedPolicy',
      Operation: 'File',
      Resource: '/home/secret.txt',
      Source: '/usr/bin/unlink home/secret.txt',
      Data: 'lsm=FILE_OPEN',
    });
    expect(alert.Picket.Flags).toEqual(flags === flag.EVENT_AUDITED ? ['audited'] : undefined);
  });

  it.each([
    [abi.category.CATEGORY_FILE, 'DENY', 'file', 'block'],
    [abi.category.CATEGORY_PROCESS, 'ALERT', 'process', 'audit'],
  ] as const)(
    'names category %i and posture of a DefaultPosture, and nothing of a rule',
    (category, verdict, word, is) => {
      const alert = alertOf({ rule: undefined, event: { ...open, category, outcome: outcomeOf(verdict, posture) } });
      expect(alert.Picket.Rule).toEqual({ Category: word, Posture: is, Generation: 7 });
      for (const key of ['Severity', 'Tags', 'ATags', 'Message']) expect(alert).not.toHaveProperty(key);
    },
  );

  it('acts as /runc while the program that it is about to start is opened', () => {
    const alert = alertOf({ event: { ...open, flags: flag.EVENT_ENTRY }, process: undefined });
    expect(alert).toMatchObject({ ProcessName: '/runc', Source: '/runc' });
  });

  it('flags a path that could not be built', () => {
    const alert = alertOf({ event: { ...open, flags: flag.EVENT_PATH_UNRESOLVED } });
    expect(alert.Picket.Flags).toEqual(['path-unresolved']);
  });
});

describe('toAlert() of a system call', () => {
  it.each([
    [0, 'Passed'],
    [-1, 'Operation not permitted'],
    [-13, 'Permission denied'],
  ])('shows what the call returned: %i is %s', (result, word) => {
    expect(alertOf({ event: { result } })).toMatchObject({ Action: 'Audit', Result: word, Enforcer: 'eBPF Monitor' });
  });

  it.each([
    [84, [0n, 0n, 0n, 0n], 'syscall=SYS_RMDIR'],
    [263, [0xffffff9cn, 0n, 0n, 0n], 'syscall=SYS_UNLINKAT'],
    [263, [0xffff_ffff_ffff_ff9cn, 0x200n, 0n, 0n], 'syscall=SYS_UNLINKAT flags=AT_REMOVEDIR'],
    [263, [3n, 0x200n, 0n, 0n], 'syscall=SYS_UNLINKAT fd=3 flags=AT_REMOVEDIR'],
    [3, [3n, 0n, 0n, 0n], 'syscall=SYS_CLOSE fd=3'],
    [39, [1n, 2n, 3n, 4n], 'syscall=SYS_GETPID'],
    [105, [0n, 0n, 0n, 0n], 'syscall=SYS_SETUID userid=0'],
    [92, [0xffff_ffffn, 5n, 0n, 0n], 'syscall=SYS_CHOWN userid=-1 groupid=5'],
    [2, [0n, 0o644n, 0n, 0n], 'syscall=SYS_OPEN flags=O_RDONLY'],
    [2, [0o1101n, 0o644n, 0n, 0n], 'syscall=SYS_OPEN flags=O_WRONLY|O_CREAT|O_TRUNC mode=0644'],
    [257, [0xffffff9cn, 0o2000002n, 0n, 0n], 'syscall=SYS_OPENAT flags=O_RDWR|O_CLOEXEC'],
    [
      9,
      [0n, 4096n, 5n, 0x22n],
      'syscall=SYS_MMAP addr=0x0 length=4096 prot=PROT_READ|PROT_EXEC flags=MAP_PRIVATE|MAP_ANONYMOUS',
    ],
    [41, [2n, 0o2000001n, 6n, 0n], 'syscall=SYS_SOCKET domain=AF_INET type=SOCK_STREAM|SOCK_CLOEXEC protocol=6'],
    [62, [0xffff_ffff_ffff_ffffn, 9n, 0n, 0n], 'syscall=SYS_KILL pid=-1 signal=9'],
    [21, [0n, 0n, 0n, 0n], 'syscall=SYS_ACCESS mode=F_OK'],
    [56, [0x1200011n, 0n, 0n, 0n], 'syscall=SYS_CLONE flags=0x1200011'],
    [265, [0xffffff9cn, 4n, 0x400n, 0n], 'syscall=SYS_LINKAT newfd=4 flags=AT_SYMLINK_FOLLOW'],
    [499, [0n, 0n, 0n, 0n], 'syscall=SYS_499'],
  ] as const)('writes call %i with its arguments', (syscall, details, data) => {
    expect(alertOf({ event: { syscall, details } }).Data).toBe(data);
  });

  it.each([
    [flag.EVENT_PATH_LATE, ['path-late']],
    [flag.EVENT_PATH_LATE | flag.EVENT_PATH_UNRESOLVED, ['path-unresolved']],
  ])('flags %i as %j', (flags, words) => {
    expect(alertOf({ event: { flags } }).Picket.Flags).toEqual(words);
  });

  it('flags arguments that were cut when the program started, and ends in …', () => {
    const alert = alertOf({ process: { ...unlinking, argsTruncated: true } });
    expect(alert.Source).toBe('/usr/bin/unlink home/secret.txt…');
    expect(alert.Picket.Flags).toEqual(['args-truncated']);
  });
});

describe('commandLine()', () => {
  const bytes = (text: string) => Buffer.byteLength(text.replace(/…$/, ''));

  it.each([4094, 4095, 4096])('keeps one of %i bytes whole', (length) => {
    const argument = 'x'.repeat(length - 3);
    expect(commandLine('/a', [argument])).toEqual({ text: `/a ${argument}`, truncated: false });
  });

  it('cuts a longer one to 4096 bytes and says so', () => {
    const { text, truncated } = commandLine('/a', ['x'.repeat(4094)]);
    expect([bytes(text), text.at(-1), truncated]).toEqual([4096, '…', true]);
  });

  it.each(['é', '€', '😀'])('keeps at least 4096 bytes and the last character whole: %s', (character) => {
    for (let shift = 0; shift < 4; shift++) {
      const { text, truncated } = commandLine('/a', ['x'.repeat(shift) + character.repeat(2000)]);
      expect(truncated).toBe(bytes(`/a ${'x'.repeat(shift)}${character.repeat(2000)}`) > bytes(text));
      if (!truncated) continue;
      expect(bytes(text)).toBeGreaterThanOrEqual(4096);
      expect(bytes(text)).toBeLessThan(4100);
      expect(text).toMatch(new RegExp(`${character}…$`, 'u'));
    }
  });

  it('keeps one whole whose last character begins within the first 4096 bytes', () => {
    const text = `/a ${'x'.repeat(4092)}€`;
    expect(commandLine('/a', [text.slice(3)])).toEqual({ text, truncated: false });
  });

  it('keeps a replacement character at the cut that the argument itself has', () => {
    const { text } = commandLine('/a', [`${'x'.repeat(4090)}\ufffd${'x'.repeat(100)}`]);
    expect(text.endsWith('\ufffd…')).toBe(true);
  });

  it('makes well-formed text of half a surrogate pair', () => {
    expect(commandLine('/a', ['\ud800'])).toEqual({ text: '/a \ufffd', truncated: false });
  });
});

describe('toAlert() of the node', () => {
  const host = { ...rule, kind: 'KubeArmorHostPolicy' as const, namespace: '', policy: 'hsp' };

  it('has no container, names the user, and is a matched host policy', () => {
    const alert = alertOf({ workload: hostRecord('node-1', { zone: 'a' }), rule: host, userName: 'root' });
    expect(alert).toMatchObject({ Type: 'MatchedHostPolicy', UserName: 'root', PolicyName: 'hsp' });
    for (const field of ['NamespaceName', 'PodName', 'ContainerID', 'ContainerName', 'Labels'])
      expect(alert).not.toHaveProperty(field);
  });

  it('is a matched policy where the posture decided', () => {
    const event = { outcome: outcomeOf('ALERT', posture), category: abi.category.CATEGORY_FILE };
    expect(alertOf({ event, workload: hostRecord('node-1', {}), rule: undefined })).toMatchObject({
      Type: 'MatchedPolicy',
      PolicyName: 'DefaultPosture',
    });
  });
});

describe('toUnresolved()', () => {
  const unresolved = (reason: bigint) =>
    alertSchema.parse(
      JSON.parse(
        encodeAlertJson(
          toUnresolved(
            verdictOf({
              event: { operation: OPERATION_OPEN, details: [reason, 0n, 0n, 0n], flags: flag.EVENT_PATH_UNRESOLVED },
              path: '/rest',
            }),
            sensor,
          ),
        ),
      ),
    );

  it('is a system event that names hook, reason and the rest of the path, and no rule', () => {
    const alert = unresolved(1n);
    expect(alert).toMatchObject({
      Type: 'SystemEvent',
      Operation: 'PathUnresolved',
      Resource: '/rest',
      Data: 'lsm=FILE_OPEN reason=unmounted',
      EventData: { Lsm: 'FILE_OPEN', Reason: 'unmounted' },
      Picket: { Flags: ['path-unresolved'] },
    });
    for (const field of ['PolicyName', 'Action', 'Result', 'Severity']) expect(alert).not.toHaveProperty(field);
    expect(alert.Picket).not.toHaveProperty('Rule');
  });

  it('tells a path that changed each time from one that is not mounted', () => {
    expect(unresolved(2n).Data).toBe('lsm=FILE_OPEN reason=torn');
  });
});
