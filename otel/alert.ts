import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { fields, nestedOrder, systemFields, verdictFields } from './alert-fields.ts';
import { eventData } from './event-data.ts';
import { parseTimestamp } from './timestamp.ts';

/**
 * One alert, as consumers read it from Kafka. The schema is for the edges (edge functions, tests, consumers); nothing
 * on the event path runs it. Besides the shape it holds what the fields promise about each other.
 */
export const alertSchema = z.discriminatedUnion('Type', [
  z.strictObject(verdictFields).check(agreement),
  z.strictObject(systemFields).check(agreement),
]);

export type Alert = z.infer<typeof alertSchema>;
/** An alert about a verdict: everything about process and rule is there. */
export type VerdictAlert = Exclude<Alert, { Type: 'SystemEvent' }>;
/** AlertThreshold, PathUnresolved, SequenceGap, NotCovered: without a process or rule where none stands behind it. */
export type SystemEvent = Extract<Alert, { Type: 'SystemEvent' }>;
/** The rule behind an alert: of a policy, or the posture of a category. */
export type AlertRule = VerdictAlert['Picket']['Rule'];
export type Rollup = NonNullable<Alert['Picket']['Rollup']>;

type Shape = z.infer<z.ZodObject<typeof verdictFields>> | z.infer<z.ZodObject<typeof systemFields>>;

function agreement({ value: alert, issues }: z.core.ParsePayload<Shape>): void {
  const wrong = (path: string[], message: string): void => {
    issues.push({ code: 'custom', path, message, input: alert });
  };
  const ns = parseTimestamp(alert.UpdatedTime);
  if (ns === undefined) wrong(['UpdatedTime'], 'no such time');
  else if (BigInt(alert.Timestamp) !== ns / 1_000_000_000n) wrong(['Timestamp'], 'is not UpdatedTime in whole seconds');
  if (alert.Tags !== alert.ATags?.join(',')) wrong(['Tags'], 'is not ATags joined by commas');
  if (!isDeepStrictEqual(alert.EventData, eventData(alert.Data))) wrong(['EventData'], 'is not Data taken apart');
  const rule = alert.Picket.Rule;
  const policy = rule === undefined ? alert.PolicyName : 'Policy' in rule ? rule.Policy : 'DefaultPosture';
  if (alert.PolicyName !== policy) wrong(['PolicyName'], `is not the policy of Picket.Rule (${policy})`);
}

const ORDER: readonly string[] = Object.keys(fields);

/**
 * The alert as one JSON object without blanks, keys in the order of the reference. Empty strings, empty lists and
 * undefined values are left out; a number is written even when it is 0.
 */
export function encodeAlertJson(alert: Alert): string {
  return JSON.stringify(inOrder(alert, ORDER));
}

function inOrder(object: object, order: readonly string[]): object {
  const source = object as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const key of order) {
    const value = source[key];
    if (value === undefined || value === null || value === '') continue;
    if (typeof value !== 'object') {
      ordered[key] = value;
    } else if (Array.isArray(value)) {
      if (value.length === 0) continue;
      ordered[key] = typeof value[0] === 'object' ? value.map((entry) => inOrder(entry, nestedOrder.tally)) : value;
    } else {
      ordered[key] = key in nestedOrder ? inOrder(value, nestedOrder[key as keyof typeof nestedOrder]) : value;
    }
  }
  return ordered;
}
