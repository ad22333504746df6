import fc from 'fast-check';
import type { Alert, SystemEvent, VerdictAlert } from '../../../otel/alert.ts';
import { words } from '../../../otel/alert-fields.ts';
import { eventData } from '../../../otel/event-data.ts';
import type { AlertContext } from '../../../otel/mapping/context.ts';
import { formatTimestamp } from '../../../otel/timestamp.ts';

/** Alerts of every kind that the schema accepts, and contexts for them. */

const text = fc
  .oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 100, maxLength: 1500, size: 'max' }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('\0', '\n', ' ', ',', '=', '@', ':', '/', '\ufffd', '\u{1f600}', '__proto__'),
    },
  )
  .filter((value) => value.isWellFormed());
const path = fc.oneof(
  text,
  fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 8 })).map((parts) => `/${parts.join('/')}`),
);
const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const id32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
const timeNs = fc.bigInt(0n, 18_446_744_073_709_551n).map((micros) => micros * 1000n);
const timestamp = timeNs.map(formatTimestamp);
const ulid = fc
  .tuple(
    fc.constantFrom(...'01234567'),
    fc.string({ unit: fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'), minLength: 25, maxLength: 25 }),
  )
  .map((parts) => parts.join(''));

function hex(digits: number) {
  return fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
    .filter((id) => /[^0]/.test(id));
}

const labels = fc.oneof(
  text,
  fc
    .dictionary(fc.stringMatching(/^[a-z0-9A-Z./_-]{1,20}$/), fc.stringMatching(/^[a-zA-Z0-9._-]{0,20}$/), {
      minKeys: 1,
    })
    .map((map) =>
      Object.keys(map)
        .sort()
        .map((key) => `${key}=${map[key]}`)
        .join(','),
    ),
);
const image = fc.oneof(
  text,
  fc
    .tuple(
      fc.constantFrom('nginx', 'localhost:5000/team/app', 'ghcr.io/a/b', 'a:b:c'),
      fc.constantFrom('', ':latest', ':', ':1.2.3-rc'),
      fc.constantFrom('', `@sha256:${'b9'.repeat(32)}`, '@', '@x@y'),
    )
    .map((parts) => parts.join('')),
);
const tags = fc.array(fc.oneof(text, fc.constantFrom('WARNING', 'MITRE_T1082_system', 'T1190', 'T1059.004')), {
  minLength: 1,
});

const data: Record<string, fc.Arbitrary<string>> = {
  Process: fc.constant('lsm=SECURITY_BPRM_CHECK'),
  File: fc.constantFrom('lsm=FILE_OPEN', 'lsm=FILE_RENAME', 'lsm=MMAP_FILE prot=PROT_EXEC flags=MAP_PRIVATE'),
  Network: fc.constantFrom(
    ...['lsm=SOCKET_CREATE protocol=TCP type=SOCK_STREAM', 'lsm=SOCKET_BIND protocol=UDP type=SOCK_DGRAM'],
    ...['lsm=SOCKET_SENDMSG domain=www.google.com', 'lsm=SOCKET_CREATE protocol=255 type=SOCK_RAW'],
  ),
  Capabilities: fc.constantFrom('lsm=CAPABLE CAP_NET_RAW', 'lsm=CAPABLE CAP_SYS_CHROOT'),
  Syscall: fc.constantFrom(
    'syscall=SYS_UNLINK',
    'syscall=SYS_UNLINKAT flags=AT_REMOVEDIR',
    'syscall=SYS_SETUID userid=0',
  ),
};
const resource: Record<string, fc.Arbitrary<string>> = {
  Network: fc.constantFrom(
    ...['sa_family=AF_INET sin_port=8080 sin_addr=127.0.0.1', 'sa_family=AF_INET6 sin6_port=53 sin6_addr=::1'],
    ...['domain=AF_INET type=SOCK_STREAM protocol=TCP', 'sa_family=AF_INET'],
  ),
  Capabilities: fc.constantFrom('CAP_NET_RAW', 'CAP_SYS_CHROOT'),
};

const workload = fc.oneof(
  fc.record(
    {
      NamespaceName: text,
      PodName: text,
      ContainerID: text,
      ContainerName: text,
      Labels: labels,
      ContainerImage: image,
    },
    { requiredKeys: ['NamespaceName', 'PodName', 'ContainerID', 'ContainerName'] },
  ),
  fc.record({ UserName: text }, { requiredKeys: [] }),
);

const everywhere = {
  ClusterName: text,
  HostName: text,
  NodeID: text,
  Owner: fc.record(
    { Ref: fc.oneof(text, fc.constantFrom('Deployment', 'CronJob')), Name: text, Namespace: text },
    { requiredKeys: ['Ref', 'Name'] },
  ),
  Message: text,
  Cwd: path,
  TTY: text,
  ExecEvent: fc.record({ ExecID: text, ExecutableName: text }),
  ...{ ProcessHash: text, ParentHash: text, ResourceHash: text, HashAlgo: text },
  KubeArmorVersion: text.map((version) => `picket-${version}`),
};
const needed = ['ClusterName', 'HostName', 'KubeArmorVersion'] as const;

const process = {
  ...{ HostPPID: id32, HostPID: id32, PPID: id32, PID: id32, UID: id32, ProcessName: path },
  ...{ Source: text, Enforcer: fc.oneof(text, fc.constantFrom('BPFLSM', 'eBPF Monitor')) },
};
const verdict = { Action: fc.constantFrom(...words.Action), Result: fc.constantFrom(...words.Result) };

const policyRule = fc.record(
  { Kind: fc.constantFrom(...words.Kind), Namespace: text, Policy: text, UID: text, Path: text, Generation: count },
  { requiredKeys: ['Kind', 'Policy', 'Generation'] },
);
const postureRule = fc.record({
  Category: fc.constantFrom(...words.Category),
  Posture: fc.constantFrom(...words.Posture),
  Generation: count,
});
const tally = fc.array(fc.record({ Value: text, Count: count }), { minLength: 1, maxLength: 10 });
const rollup = fc.record(
  {
    Count: count,
    FirstTime: timestamp,
    LastTime: timestamp,
    Resources: tally,
    Sources: tally,
    Truncated: fc.boolean(),
  },
  { requiredKeys: ['Count'] },
);
const picket = {
  ...{ AlertID: ulid, TraceID: hex(32), SpanID: hex(16), Epoch: text },
  Seq: fc.oneof(
    fc.integer({ min: 1, max: 1000 }),
    fc.maxSafeNat().map((seq) => Math.max(1, seq)),
  ),
  Flags: fc.uniqueArray(fc.constantFrom(...words.Flags), { minLength: 1 }),
};
const pickedAlways = ['AlertID', 'TraceID', 'SpanID', 'Epoch', 'Seq'] as const;

/** What follows from other fields: times, tags as text, the data taken apart. */
function derived(ns: bigint, list: string[] | undefined, data: string | undefined) {
  const EventData = eventData(data);
  return {
    Timestamp: Number(ns / 1_000_000_000n),
    UpdatedTime: formatTimestamp(ns),
    ...(list === undefined ? {} : { Tags: list.join(','), ATags: list }),
    ...(data === undefined ? {} : { Data: data }),
    ...(EventData === undefined ? {} : { EventData }),
  };
}

export const verdictAlert: fc.Arbitrary<VerdictAlert> = fc
  .record({
    ns: timeNs,
    Operation: fc.constantFrom(...words.VerdictOperation),
    Type: fc.constantFrom(...words.VerdictType),
    workload,
    rest: fc.record(
      { ...everywhere, ...process, ...verdict, ParentProcessName: path },
      {
        requiredKeys: [
          ...needed,
          'HostPPID',
          'HostPID',
          'PPID',
          'PID',
          'UID',
          'ProcessName',
          'Source',
          'Enforcer',
          'Action',
          'Result',
        ],
      },
    ),
    sourceIsParent: fc.boolean(),
    rule: fc.oneof(policyRule, postureRule),
    severity: fc.option(fc.constantFrom(...words.Severity), { nil: undefined }),
    list: fc.option(tags, { nil: undefined }),
    Picket: fc.record(picket, { requiredKeys: [...pickedAlways] }),
  })
  .chain((parts) =>
    fc
      .record({
        Data: fc.oneof({ weight: 5, arbitrary: data[parts.Operation] ?? text }, { weight: 1, arbitrary: text }),
        Resource: fc.option(
          fc.oneof({ weight: 5, arbitrary: resource[parts.Operation] ?? path }, { weight: 1, arbitrary: text }),
          { nil: undefined },
        ),
      })
      .map(({ Data, Resource }) => {
        const posture = 'Posture' in parts.rule;
        return {
          ...derived(parts.ns, posture ? undefined : parts.list, Data),
          ...parts.workload,
          ...parts.rest,
          ...(parts.sourceIsParent && parts.rest.ParentProcessName ? { Source: parts.rest.ParentProcessName } : {}),
          PolicyName: 'Policy' in parts.rule ? parts.rule.Policy : 'DefaultPosture',
          ...(posture || parts.severity === undefined ? {} : { Severity: parts.severity }),
          Operation: parts.Operation,
          Type: parts.Type,
          ...(Resource === undefined ? {} : { Resource }),
          Data,
          Picket: { ...parts.Picket, Rule: parts.rule },
        };
      }),
  );

export const systemEvent: fc.Arbitrary<SystemEvent> = fc
  .record({
    ns: timeNs,
    Operation: fc.constantFrom(...words.SystemOperation),
    workload,
    rest: fc.record(
      {
        ...{ ...everywhere, ...process, ...verdict, ParentProcessName: path, Resource: text },
        ...{ Severity: fc.constantFrom(...words.Severity), MaxAlertsPerSec: count, DroppingAlertsInterval: count },
      },
      { requiredKeys: [...needed] },
    ),
    Data: fc.option(fc.oneof(text, fc.constant('epoch=e from=3 to=4')), { nil: undefined }),
    list: fc.option(tags, { nil: undefined }),
    rule: fc.option(fc.oneof(policyRule, postureRule), { nil: undefined }),
    Picket: fc.record({ ...picket, Rollup: rollup }, { requiredKeys: [...pickedAlways] }),
  })
  .map(({ ns, Operation, workload, rest, Data, list, rule, Picket }) => ({
    ...derived(ns, list, Data),
    ...workload,
    ...rest,
    Operation,
    Type: 'SystemEvent',
    ...(rule === undefined ? {} : { PolicyName: 'Policy' in rule ? rule.Policy : 'DefaultPosture' }),
    Picket: { ...Picket, ...(rule === undefined ? {} : { Rule: rule }) },
  }));

export const anyAlert: fc.Arbitrary<Alert> = fc.oneof(
  { weight: 4, arbitrary: verdictAlert },
  { weight: 1, arbitrary: systemEvent },
);

export const anyContext: fc.Arbitrary<AlertContext> = fc.record(
  {
    observedNs: timeNs,
    podUid: fc.uuid(),
    kernelRelease: text,
    bootId: fc.uuid(),
    errno: fc.constantFrom(0, 1, 13),
    processSpanId: fc.oneof(hex(16), fc.constant('')),
    previousTraceId: hex(32),
    rootSpanId: hex(16),
    original: fc.boolean(),
  },
  { requiredKeys: ['observedNs', 'kernelRelease', 'bootId', 'errno', 'processSpanId'] },
);
