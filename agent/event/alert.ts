import type { SystemEvent, VerdictAlert } from '../../otel/alert.ts';
import { eventData } from '../../otel/event-data.ts';
import { alertSpanId, root } from '../../otel/ids.ts';
import { formatTimestamp } from '../../otel/timestamp.ts';
import * as abi from '../abi.gen.ts';
import type { RuleInfo } from '../policy/ruleset.ts';
import type { WorkloadRecord } from '../workload/workload.ts';
import type { Boot } from './boot.ts';
import { operationOf } from './operation.ts';
import type { Process } from './processes.ts';
import type { EventRecord } from './record.ts';

/** What every alert of this agent says about where it comes from. */
export interface Sensor {
  cluster: string;
  clusterUid: string;
  hostName: string;
  nodeId: string;
  version: string;
  boot: Boot;
  epoch: string;
}

/** All that is known about one verdict. */
export interface Verdict {
  event: EventRecord;
  workload: WorkloadRecord;
  /** The rule that counted; undefined: the posture of the category. */
  rule: RuleInfo | undefined;
  /** Object, when the event does not carry it itself. */
  path: string;
  /** Path of the acting process's program and its arguments. */
  process: Process | undefined;
  parentExecutable: string | undefined;
  /** First program of the exec session, when there is one. */
  sessionExecutable: string | undefined;
  /** Name of the user, on the node alone. */
  userName: string | undefined;
  /** Unix nanoseconds. */
  timeNs: bigint;
  id: string;
  seq: number;
  traceId: string;
}

const flags = abi.eventFlags;
/** Bytes of a command line that are kept at least. */
const keptBytes = 4096;

/** As a source, a task that has not yet executed a program of the workload is spelt so, whatever the runtime is. */
const entryTask = '/runc';

/** The alert of one verdict (alerts.md 1 to 3). Pure. */
export function toAlert(verdict: Verdict, sensor: Sensor): VerdictAlert {
  const { event, workload, rule, timeNs, id } = verdict;
  const texts = subjectOf(verdict);
  const operation = operationOf(event);
  const data = operation.data(event);
  const parts = eventData(data);
  const alertFlags = flagsOf(event, texts.truncated);
  return {
    Timestamp: Number(timeNs / 1_000_000_000n),
    UpdatedTime: formatTimestamp(timeNs),
    ClusterName: sensor.cluster,
    HostName: sensor.hostName,
    NodeID: sensor.nodeId,
    ...(!workload.host && containerFields(workload)),
    HostPPID: event.ppid,
    HostPID: event.pid,
    PPID: event.vppid,
    PID: event.vpid,
    UID: event.uid,
    ...(verdict.userName && { UserName: verdict.userName }),
    ...(texts.parent && { ParentProcessName: texts.parent }),
    ProcessName: texts.process,
    PolicyName: rule?.policy ?? 'DefaultPosture',
    ...(rule && ruleTexts(rule)),
    Type: rule?.kind === 'KubeArmorHostPolicy' ? 'MatchedHostPolicy' : 'MatchedPolicy',
    Source: texts.source,
    Operation: operation.name,
    ...(texts.resource && { Resource: texts.resource }),
    Data: data,
    ...(parts && { EventData: parts }),
    Enforcer: enforcerOf(event),
    Action: actionOf(event),
    Result: resultOf(event),
    ...(event.cwd && { Cwd: event.cwd.endsWith('/') ? event.cwd : `${event.cwd}/` }),
    ...(event.tty && { TTY: event.tty }),
    ...(event.execSession !== 0n &&
      texts.session && {
        ExecEvent: { ExecID: String(event.execSession), ExecutableName: fileName(texts.session) },
      }),
    KubeArmorVersion: `picket-${sensor.version}`,
    Picket: {
      AlertID: id,
      Rule: rule ? policyRule(rule, event.generation) : postureRule(event),
      TraceID: verdict.traceId,
      SpanID: alertSpanId(id),
      Seq: verdict.seq,
      Epoch: sensor.epoch,
      ...(alertFlags.length > 0 && { Flags: alertFlags }),
    },
  };
}

const reasons: Readonly<Record<number, string>> = {
  [abi.unresolved.UNRESOLVED_UNMOUNTED]: 'unmounted',
  [abi.unresolved.UNRESOLVED_TORN]: 'torn',
};

/**
 * The system event about an object whose path could not be built in a workload with Block rules (alerts.md 3): `Data` names
 * the hook and the reason, `Resource` is the readable rest of the path.
 */
export function toUnresolved(verdict: Verdict, sensor: Sensor): SystemEvent {
  // No rule decided, so there is nobody to name and nothing that was done.
  const {
    PolicyName: _name,
    Action: _action,
    Result: _result,
    Picket,
    ...rest
  } = toAlert({ ...verdict, rule: undefined }, sensor);
  const data = `${rest.Data} reason=${reasons[Number(verdict.event.details[0])] ?? 'unknown'}`;
  const parts = eventData(data);
  const { Rule: _rule, ...picket } = Picket;
  return {
    ...rest,
    Type: 'SystemEvent',
    Operation: 'PathUnresolved',
    ...(verdict.path && { Resource: verdict.path }),
    Data: data,
    ...(parts && { EventData: parts }),
    Picket: picket,
  };
}

/**
 * The system event about something that no program sees: an io_uring in the tracepoint backend (alerts.md 3, policy.md 8.1). By
 * the setting `ioUring: deny` the process was ended.
 */
export function toNotCovered(verdict: Verdict, sensor: Sensor): SystemEvent {
  const {
    PolicyName: _name,
    Action: _action,
    Result,
    Picket,
    ...rest
  } = toAlert({ ...verdict, rule: undefined }, sensor);
  const { Rule: _rule, ...picket } = Picket;
  const killed = (verdict.event.flags & flags.EVENT_KILLED) !== 0;
  return {
    ...rest,
    Type: 'SystemEvent',
    Operation: 'NotCovered',
    ...(killed && { Action: 'Block' as const, Result }),
    Picket: picket,
  };
}

/** What an alert says of its container; the node has none of it. */
function containerFields(workload: WorkloadRecord) {
  const labels = Object.entries(workload.labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return {
    NamespaceName: workload.namespace,
    PodName: workload.pod,
    ...(labels !== '' && { Labels: labels }),
    ...(workload.owner && { Owner: ownerOf(workload.owner) }),
    ContainerID: workload.containerId,
    ContainerName: workload.container,
    ...(workload.image && { ContainerImage: workload.image }),
  };
}

/** The process tree that an event belongs to. */
export function rootOf(event: EventRecord, sensor: Sensor): string {
  return root(sensor.boot.id, event.rootPid, event.rootStartNs);
}

/**
 * Executable path and arguments, joined by blanks. Of a longer one the first 4096 bytes are kept, the last character
 * whole, and it ends in `…`, as does one of which the rest is not known (`cut`).
 */
export function commandLine(
  executable: string,
  args: readonly string[],
  cut = false,
): { text: string; truncated: boolean } {
  const text = [executable, ...args].join(' ').toWellFormed();
  const bytes = Buffer.from(text);
  let end = Math.min(keptBytes, bytes.length);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end++; // inside a character
  if (end === bytes.length) return { text: cut ? `${text}…` : text, truncated: cut };
  return { text: `${bytes.toString('utf8', 0, end)}…`, truncated: true };
}

interface Texts {
  process: string;
  parent: string | undefined;
  source: string;
  resource: string;
  truncated: boolean;
  /** First program of the exec session. */
  session: string | undefined;
}

function subjectOf({ event, process, parentExecutable, sessionExecutable, path }: Verdict): Texts {
  const isEntry = (event.flags & flags.EVENT_ENTRY) !== 0;
  const executable = isEntry ? entryTask : process?.executable || unknownProgram;
  const parent = parentExecutable || undefined;
  if (event.operation === abi.operation.OPERATION_EXEC) {
    const program = path || unknownProgram;
    const line = commandLine(program, event.args.slice(1), (event.flags & flags.EVENT_ARGS_TRUNCATED) !== 0);
    const by = isEntry ? entryTask : parent;
    return {
      process: program,
      parent: by,
      source: by ?? unknownProgram,
      resource: line.text,
      truncated: line.truncated,
      session: isEntry ? program : sessionExecutable,
    };
  }
  const args = isEntry ? [] : (process?.args ?? []);
  const line = commandLine(executable, args, !isEntry && process?.argsTruncated === true);
  return {
    process: executable,
    parent,
    source: line.text,
    resource:
      event.operation === abi.operation.OPERATION_MMAP ? executable : (operationOf(event).resource?.(event) ?? path),
    truncated: line.truncated,
    session: sessionExecutable,
  };
}

/** Neither an event nor /proc told which program it is. */
const unknownProgram = '(unknown)';

function ruleTexts({ severity, tags, message }: RuleInfo) {
  return {
    Severity: String(severity) as NonNullable<VerdictAlert['Severity']>,
    ...(tags.length > 0 && { Tags: tags.join(','), ATags: [...tags] }),
    ...(message && { Message: message }),
  };
}

function ownerOf({ ref, name, namespace }: NonNullable<WorkloadRecord['owner']>) {
  return { Ref: ref, Name: name, ...(namespace && { Namespace: namespace }) };
}

function policyRule(rule: RuleInfo, generation: number) {
  return {
    Kind: rule.kind,
    ...(rule.namespace && { Namespace: rule.namespace }),
    Policy: rule.policy,
    ...(rule.uid && { UID: rule.uid }),
    Path: rule.path,
    Generation: generation,
  };
}

const postureCategories: Readonly<Record<number, 'process' | 'file' | 'network' | 'dns' | 'capabilities'>> = {
  [abi.category.CATEGORY_PROCESS]: 'process',
  [abi.category.CATEGORY_FILE]: 'file',
  [abi.category.CATEGORY_NETWORK]: 'network',
  [abi.category.CATEGORY_DNS]: 'dns',
  [abi.category.CATEGORY_CAPABILITY]: 'capabilities',
};

function postureRule({ category, outcome, generation }: EventRecord) {
  const denied = outcome >>> abi.outcome.OUTCOME_SHIFT === abi.verdict.VERDICT_DENY;
  return {
    Category: postureCategories[category] ?? 'file',
    Posture: denied ? ('block' as const) : ('audit' as const),
    Generation: generation,
  };
}

/** By `enum picket_preset`. */
const presetEnforcers: Readonly<Record<number, string>> = {
  [abi.preset.PRESET_FILELESS]: 'PRESET-FilelessExecutionPreset',
  [abi.preset.PRESET_ANONYMOUS_MAP]: 'PRESET-AnonMapExecutionPreset',
  [abi.preset.PRESET_PROTECT_ENV]: 'PRESET-ProtectEnvPreset',
  [abi.preset.PRESET_PROTECT_PROC]: 'PRESET-ProtectProcPreset',
  [abi.preset.PRESET_EXEC]: 'PRESET-ExecPreset',
};

function enforcerOf({ operation, backend, preset }: EventRecord): string {
  if (operation === abi.operation.OPERATION_SYSCALL) return 'eBPF Monitor';
  if (preset !== 0) return presetEnforcers[preset - 1] ?? `PRESET-${preset}`;
  return backend === abi.backend.BACKEND_LSM ? 'BPFLSM' : 'eBPF Tracepoint';
}

function actionOf({ outcome, flags: bits }: EventRecord) {
  if (outcome >>> abi.outcome.OUTCOME_SHIFT !== abi.verdict.VERDICT_DENY) return 'Audit';
  if ((bits & flags.EVENT_AUDITED) === 0) return 'Block';
  return (outcome & abi.outcome.OUTCOME_RULE) === abi.outcome.OUTCOME_POSTURE ? 'Audit (Allow)' : 'Audit (Block)';
}

const eperm = -1;

/** Refused is refused, whatever the error; the errors of system calls are the kernel's own and are told apart. */
function resultOf({ operation, result, flags: bits }: EventRecord) {
  if ((bits & flags.EVENT_KILLED) !== 0) return 'Killed';
  if (result === 0) return 'Passed';
  const ofCall = operation === abi.operation.OPERATION_SYSCALL && result === eperm;
  return ofCall ? 'Operation not permitted' : 'Permission denied';
}

function flagsOf(event: EventRecord, truncated: boolean) {
  const list: NonNullable<VerdictAlert['Picket']['Flags']> = [];
  if (event.flags & flags.EVENT_PATH_UNRESOLVED) list.push('path-unresolved');
  if (event.flags & flags.EVENT_PATH_LATE && !(event.flags & flags.EVENT_PATH_UNRESOLVED)) list.push('path-late');
  if (truncated) list.push('args-truncated');
  if (event.flags & flags.EVENT_AUDITED) list.push('audited');
  return list;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}
