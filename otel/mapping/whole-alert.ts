import type { Alert } from '../alert.ts';
import { forms, systemFields, verdictFields, words } from '../alert-fields.ts';
import { OtlpError } from '../errors.ts';

/*
 * What the schema of an alert asks for, checked by hand: this stands on the collector's event path, where zod does not
 * run. Texts are sound already (the reader of attributes lets no other through), so what is left are fields that must
 * be there, words, forms and ranges. A test holds this against the schema.
 */

type Loose = Readonly<Record<string, unknown>>;

export const FLAGS: ReadonlySet<unknown> = new Set(words.Flags);
const VERDICT_OPERATIONS: ReadonlySet<unknown> = new Set(words.VerdictOperation);
const WORDS: readonly [string, ReadonlySet<unknown>][] = [
  ['Type', new Set([...words.VerdictType, 'SystemEvent'])],
  ['Severity', new Set(words.Severity)],
  ['Action', new Set(words.Action)],
  ['Result', new Set(words.Result)],
];
const KINDS: ReadonlySet<unknown> = new Set(words.Kind);
const CATEGORIES: ReadonlySet<unknown> = new Set(words.Category);
const POSTURES: ReadonlySet<unknown> = new Set(words.Posture);
const IDS = ['HostPPID', 'HostPID', 'PPID', 'PID', 'UID'] as const;

function required(fields: typeof verdictFields | typeof systemFields): string[] {
  const { Picket: _, ...outer } = fields;
  return Object.entries(outer).flatMap(([key, field]) => (field.safeParse(undefined).success ? [] : [key]));
}
const VERDICT_REQUIRED = required(verdictFields);
const SYSTEM_REQUIRED = required(systemFields);

/**
 * Puts `Picket`, without its undefined fields, into `loose`, which has none, and says that this is an alert by the schema.
 * @throws OtlpError `not-an-alert`, naming the field
 */
export function wholeAlert(loose: Record<string, unknown>, picket: Loose): Alert {
  const system = loose.Type === 'SystemEvent';
  for (const key of system ? SYSTEM_REQUIRED : VERDICT_REQUIRED) if (loose[key] === undefined) throw lacks(key);
  if (system === VERDICT_OPERATIONS.has(loose.Operation)) throw wrong('Type', loose.Type);
  for (const [key, set] of WORDS) {
    if (loose[key] !== undefined && !set.has(loose[key])) throw wrong(key, loose[key]);
  }
  for (const key of IDS) if ((loose[key] as number) > 0xffff_ffff) throw wrong(key, loose[key]);
  const { Rule, Rollup } = picket as Record<'Rule' | 'Rollup', Loose | undefined>;
  checkPicket(picket);
  if (Rule !== undefined) checkRule(Rule, loose.PolicyName);
  else if (!system) throw lacks('Picket.Rule');
  if (Rollup !== undefined) checkRollup(Rollup);
  loose.Picket = known({ ...picket, Rule: Rule && known(Rule), Rollup: Rollup && known(Rollup) });
  return loose as unknown as Alert;
}

function checkPicket(picket: Loose): void {
  if (!forms.alertId.test(String(picket.AlertID))) throw wrong('Picket.AlertID', picket.AlertID);
  if (!forms.traceId.test(String(picket.TraceID))) throw wrong('Picket.TraceID', picket.TraceID);
  if (!forms.spanId.test(String(picket.SpanID))) throw wrong('Picket.SpanID', picket.SpanID);
  if (!((picket.Seq as number) >= 1)) throw wrong('Picket.Seq', picket.Seq);
  if (picket.Epoch === undefined) throw lacks('Picket.Epoch');
}

function checkRule(rule: Loose, policy: unknown): void {
  if (!Number.isSafeInteger(rule.Generation)) throw wrong('Picket.Rule.Generation', rule.Generation);
  if ('Posture' in rule) {
    if (!POSTURES.has(rule.Posture)) throw wrong('Picket.Rule.Posture', rule.Posture);
    if (!CATEGORIES.has(rule.Category)) throw wrong('Picket.Rule.Category', rule.Category);
    if (policy !== 'DefaultPosture') throw wrong('PolicyName', policy);
  } else {
    if (!KINDS.has(rule.Kind)) throw wrong('Picket.Rule.Kind', rule.Kind);
    if (policy === undefined) throw lacks('PolicyName');
  }
}

function checkRollup(rollup: Loose): void {
  for (const key of ['FirstTime', 'LastTime']) {
    const value = rollup[key];
    if (value !== undefined && !forms.time.test(String(value))) throw wrong(`Picket.Rollup.${key}`, value);
  }
}

function known(object: Loose): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  for (const key in object) if (object[key] !== undefined) rest[key] = object[key];
  return rest;
}

function lacks(key: string): OtlpError {
  return new OtlpError('not-an-alert', `The record lacks what the alert's ${key} is made from`);
}

function wrong(key: string, value: unknown): OtlpError {
  return new OtlpError('not-an-alert', `The record's value for the alert's ${key} cannot be: ${String(value)}`);
}
