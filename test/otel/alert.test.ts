import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { alertSchema, encodeAlertJson } from '../../otel/alert.ts';
import { alertJsonSchema, alertSchemaFile } from '../../otel/alert-schema.ts';
import { unlinkAlert, unlinkJson } from './sample-alerts.ts';

function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, inner]) => [key, reversed(inner)]));
}

describe('encodeAlertJson()', () => {
  it('writes the sample alert byte for byte', () => {
    expect(encodeAlertJson(unlinkAlert)).toBe(unlinkJson);
  });

  it('keeps the order of the reference whatever order the object has, nested objects included', () => {
    expect(encodeAlertJson(reversed(unlinkAlert) as typeof unlinkAlert)).toBe(unlinkJson);
  });

  it('leaves out empty strings, empty lists and undefined values and writes zeros', () => {
    const padded = { ...unlinkAlert, NodeID: '', Message: undefined, ATags: [], TTY: '', UID: 0 };
    expect(encodeAlertJson(padded)).toBe(unlinkJson);
    expect(unlinkJson).toContain('"UID":0');
  });

  it('keeps counts of a roll-up in order', () => {
    const Rollup = { Truncated: false, Count: 0, Resources: [{ Count: 2, Value: '/a' }] };
    const json = encodeAlertJson({ ...unlinkAlert, Picket: { ...unlinkAlert.Picket, Rollup } });
    expect(json).toContain('"Rollup":{"Count":0,"Resources":[{"Value":"/a","Count":2}],"Truncated":false}}}');
  });
});

describe('alertSchema', () => {
  it('accepts the sample alert', () => {
    expect(alertSchema.parse(JSON.parse(unlinkJson))).toEqual(unlinkAlert);
  });

  const { Picket } = unlinkAlert;
  it.each([
    ['an unknown field', { ...unlinkAlert, Colour: 'red' }],
    ['an empty string', { ...unlinkAlert, Message: '' }],
    ['half of a surrogate pair', { ...unlinkAlert, Message: '\ud800' }],
    ['a verdict without its process', { ...unlinkAlert, HostPID: undefined }],
    ['a system event with the operation of a verdict', { ...unlinkAlert, Type: 'SystemEvent' }],
    ['Timestamp that is not UpdatedTime', { ...unlinkAlert, Timestamp: 1661936136 }],
    ['a day that does not exist', { ...unlinkAlert, UpdatedTime: '2022-02-30T08:55:35.368285Z' }],
    ['Tags without ATags', { ...unlinkAlert, Tags: 'WARNING' }],
    ['EventData that is not Data', { ...unlinkAlert, EventData: { Syscall: 'SYS_RMDIR' } }],
    ['a name that is not of the rule', { ...unlinkAlert, PolicyName: 'other' }],
    ['a posture under a policy name', { ...unlinkAlert, Picket: { ...Picket, Rule: posture } }],
    ['a trace id of zeros', { ...unlinkAlert, Picket: { ...Picket, TraceID: '0'.repeat(32) } }],
  ])('refuses %s', (_what, alert) => {
    expect(alertSchema.safeParse(alert).success).toBe(false);
  });

  it('lets a system event do without process and rule', () => {
    const gap = {
      ...{
        Timestamp: 1661936135,
        UpdatedTime: '2022-08-31T08:55:35.368285Z',
        ClusterName: 'default',
        HostName: 'vagrant',
      },
      ...{ Type: 'SystemEvent', Operation: 'SequenceGap', Data: 'epoch=e from=3 to=4' },
      ...{ EventData: { Epoch: 'e', From: '3', To: '4' }, KubeArmorVersion: 'picket-0.1.0' },
      Picket: { ...Picket, Rule: undefined },
    };
    expect(alertSchema.safeParse(gap).error).toBeUndefined();
  });
});

const posture = { Category: 'file', Posture: 'block', Generation: 7 };

describe('alert.schema.json', () => {
  it('is what the schema generates', () => {
    expect(JSON.parse(readFileSync(alertSchemaFile, 'utf8'))).toEqual(alertJsonSchema());
  });
});
