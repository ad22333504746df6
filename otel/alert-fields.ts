import { z } from 'zod';

/** Text of an alert: never empty (an empty value is left out), and UTF-8 can carry it (no half of a surrogate pair). */
const text = z
  .string()
  .min(1)
  .refine((value) => value.isWellFormed(), { error: 'holds half of a surrogate pair, which UTF-8 cannot carry' });
const count = z.int().nonnegative();
const id32 = z.int().nonnegative().max(0xffff_ffff);

/** The forms of identifiers and times. */
export const forms = {
  alertId: /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
  traceId: /^(?!0+$)[0-9a-f]{32}$/,
  spanId: /^(?!0+$)[0-9a-f]{16}$/,
  time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
} as const;

const time = z.string().regex(forms.time);

/** The fixed words of fields that have some. */
export const words = {
  Kind: ['KubeArmorPolicy', 'KubeArmorClusterPolicy', 'KubeArmorHostPolicy'],
  Category: ['process', 'file', 'network', 'dns', 'capabilities'],
  Posture: ['block', 'audit'],
  Flags: ['path-unresolved', 'path-late', 'args-truncated', 'audited'],
  Severity: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
  VerdictType: ['MatchedPolicy', 'MatchedHostPolicy'],
  VerdictOperation: ['Process', 'File', 'Network', 'Capabilities', 'Syscall'],
  SystemOperation: ['AlertThreshold', 'PathUnresolved', 'SequenceGap', 'NotCovered'],
  Action: ['Block', 'Audit', 'Audit (Block)', 'Audit (Allow)'],
  Result: ['Passed', 'Permission denied', 'Operation not permitted', 'Killed'],
} as const;

const tally = z.array(z.strictObject({ Value: text, Count: count })).min(1);

const rollup = z.strictObject({
  Count: count.describe('alerts counted and not sent'),
  FirstTime: time.optional(),
  LastTime: time.optional(),
  Resources: tally.optional().describe('up to ten distinct values with their counts'),
  Sources: tally.optional().describe('up to ten distinct values with their counts'),
  Truncated: z.boolean().optional().describe('there were more values than these'),
});

const policyRule = z.strictObject({
  Kind: z.enum(words.Kind),
  Namespace: text.optional(),
  Policy: text,
  UID: text.optional(),
  Path: text.optional().describe('such as spec.file.matchPaths[0]'),
  Generation: count.describe('of the rule set that decided'),
});

const postureRule = z.strictObject({
  Category: z.enum(words.Category),
  Posture: z.enum(words.Posture),
  Generation: count.describe('of the rule set that decided'),
});

const rule = z.union([policyRule, postureRule]);

const picket = z.strictObject({
  AlertID: z.string().regex(forms.alertId).describe('ULID, unique for ever; a repeat delivery carries the same one'),
  Rule: rule,
  TraceID: z.string().regex(forms.traceId),
  SpanID: z.string().regex(forms.spanId).describe('span of this alert'),
  Seq: z.int().positive().describe('1, 2, 3, … per agent start; a gap is a loss'),
  Epoch: text.describe('identifies the agent start that Seq counts in'),
  Flags: z.array(z.enum(words.Flags)).min(1).optional(),
  Rollup: rollup.optional().describe('AlertThreshold only'),
});

/**
 * Every field of an alert, in the order in which JSON has them (section 1 of the alert reference). Fields are only ever
 * added. Those that a system event may lack because no process or rule stands behind it are made optional there.
 */
export const fields = {
  Timestamp: count.describe('event time, Unix seconds'),
  UpdatedTime: time.describe('event time, RFC 3339, UTC, six decimals'),
  ClusterName: text,
  HostName: text.describe('node name'),
  NodeID: text.optional().describe('machine id of the node'),
  NamespaceName: text.optional(),
  PodName: text.optional(),
  Labels: text.optional().describe('pod labels k=v, sorted by key, joined by commas'),
  Owner: z
    .strictObject({ Ref: text, Name: text, Namespace: text.optional() })
    .optional()
    .describe('the controlling object'),
  ContainerID: text.optional(),
  ContainerName: text.optional(),
  ContainerImage: text.optional().describe('image as declared, with digest when known'),
  HostPPID: id32.describe('parent process id as the node sees it'),
  HostPID: id32.describe('process id as the node sees it'),
  PPID: id32.describe("parent process id in the workload's pid namespace"),
  PID: id32.describe("process id in the workload's pid namespace"),
  UID: id32.describe("uid inside the workload's user namespace"),
  UserName: text.optional().describe('name of the uid, host alerts only'),
  ParentProcessName: text.optional().describe('executable of the parent'),
  ProcessName: text.describe('executable that acts; for Operation Process the program that was to start'),
  PolicyName: text.describe('policy, or DefaultPosture'),
  Severity: z.enum(words.Severity).optional(),
  Tags: text.optional().describe('tags joined by commas'),
  ATags: z.array(text).min(1).optional().describe('the same as a list'),
  Message: text.optional().describe('message of the rule'),
  Type: z.enum([...words.VerdictType, 'SystemEvent']),
  Source: text.describe('Operation Process: executable of the parent. Otherwise: command line of the acting process'),
  Operation: z.enum([...words.VerdictOperation, ...words.SystemOperation]),
  Resource: text.optional().describe('the object'),
  Data: text.describe('hook or call with its details'),
  EventData: z
    .record(z.string().regex(/^[A-Z]/), text)
    .optional()
    .describe('Data taken apart'),
  Enforcer: text.describe('BPFLSM, eBPF Monitor, eBPF Tracepoint, PRESET-…'),
  Action: z.enum(words.Action),
  Result: z.enum(words.Result),
  Cwd: text.optional().describe('working directory with a trailing /'),
  TTY: text.optional().describe('controlling terminal'),
  ExecEvent: z.strictObject({ ExecID: text, ExecutableName: text }).optional(),
  MaxAlertsPerSec: count.optional().describe('AlertThreshold only'),
  DroppingAlertsInterval: count.optional().describe('AlertThreshold only: seconds'),
  KubeArmorVersion: text.regex(/^picket-./s).describe('version of the agent (name kept for consumers)'),
  ProcessHash: text.optional(),
  ParentHash: text.optional(),
  ResourceHash: text.optional(),
  HashAlgo: text.optional(),
  Picket: picket,
};

/** The same fields for a system event: behind it may stand no process, no rule and no verdict. */
export const systemFields = {
  ...fields,
  HostPPID: fields.HostPPID.optional(),
  HostPID: fields.HostPID.optional(),
  PPID: fields.PPID.optional(),
  PID: fields.PID.optional(),
  UID: fields.UID.optional(),
  ProcessName: fields.ProcessName.optional(),
  PolicyName: fields.PolicyName.optional(),
  Type: z.literal('SystemEvent'),
  Source: fields.Source.optional(),
  Operation: z.enum(words.SystemOperation),
  Data: fields.Data.optional(),
  Enforcer: fields.Enforcer.optional(),
  Action: fields.Action.optional(),
  Result: fields.Result.optional(),
  Picket: picket.extend({ Rule: rule.optional() }),
};

/** The fields of an alert about a verdict. */
export const verdictFields = {
  ...fields,
  Type: z.enum(words.VerdictType),
  Operation: z.enum(words.VerdictOperation),
};

/** Key order inside the nested objects. */
export const nestedOrder = {
  Owner: ['Ref', 'Name', 'Namespace'],
  ExecEvent: ['ExecID', 'ExecutableName'],
  Picket: Object.keys(picket.shape),
  Rule: [...new Set([...Object.keys(policyRule.shape), ...Object.keys(postureRule.shape)])],
  Rollup: Object.keys(rollup.shape),
  tally: ['Value', 'Count'],
} as const;
