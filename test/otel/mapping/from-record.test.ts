import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Alert, alertSchema, encodeAlertJson } from '../../../otel/alert.ts';
import { fields, nestedOrder } from '../../../otel/alert-fields.ts';
import { OtlpError } from '../../../otel/errors.ts';
import { type AlertContext, fromRecord, toRecord, toResource, toScope } from '../../../otel/mapping/mapping.ts';
import type { AnyValue } from '../../../otel/otlp/attribute.ts';
import type { LogRecord } from '../../../otel/otlp/log.ts';
import { decodeLogs, encodeLogs } from '../../../otel/otlp/logs.ts';
import type { Resource, Scope } from '../../../otel/otlp/resource.ts';
import { validateLogs } from '../../../otel/otlp/validate.ts';
import { anyValue } from '../otlp/generators.ts';
import { unlinkAlert } from '../sample-alerts.ts';
import { anyAlert, anyContext } from './alerts.ts';

interface Received {
  record: LogRecord;
  resource: Resource;
  scope: Scope;
}

function sent(alert: Alert, context: AlertContext): Received {
  return { record: toRecord(alert, context), resource: toResource(alert, context), scope: toScope(alert, context) };
}

function overTheWire({ record, resource, scope }: Received): Received {
  const bytes = encodeLogs([{ resource, scope, records: [record] }]);
  validateLogs(bytes);
  const group = decodeLogs(bytes)[0];
  return {
    record: group?.scopes[0]?.records[0] as LogRecord,
    resource: group?.resource as Resource,
    scope: group?.scopes[0]?.scope as Scope,
  };
}

function back({ record, resource, scope }: Received): Alert {
  return fromRecord(record, resource, scope);
}

const context = { observedNs: 1n, kernelRelease: '6.1.0', bootId: 'b', errno: 0, processSpanId: '' };

describe('the generator of alerts', () => {
  it('makes alerts that the schema accepts, with every field among them', () => {
    const seen = new Set<string>();
    const keys = (object: object, prefix = ''): void => {
      for (const [key, value] of Object.entries(object)) {
        seen.add(prefix + key);
        if (typeof value === 'object' && !Array.isArray(value) && key !== 'EventData') keys(value, `${prefix}${key}.`);
      }
    };
    fc.assert(
      fc.property(anyAlert, (alert) => {
        expect(alertSchema.safeParse(alert).error).toBeUndefined();
        keys(alert);
      }),
      { numRuns: 300, seed: 7 },
    );
    const { Owner, ExecEvent, Picket, Rule, Rollup } = nestedOrder;
    const all = [
      ...Object.keys(fields),
      ...[...Owner.map((key) => `Owner.${key}`), ...ExecEvent.map((key) => `ExecEvent.${key}`)],
      ...Picket.map((key) => `Picket.${key}`),
      ...[...Rule.map((key) => `Picket.Rule.${key}`), ...Rollup.map((key) => `Picket.Rollup.${key}`)],
    ];
    expect([...seen].sort()).toEqual(all.sort());
  });
});

describe('fromRecord()', () => {
  it('gives the alert back, every field of every kind of alert', () => {
    fc.assert(
      fc.property(anyAlert, anyContext, (alert, context) => {
        expect(back(sent(alert, context))).toStrictEqual(structuredClone(alert));
      }),
      { numRuns: 200 },
    );
  });

  it('gives the alert back over the wire, and its JSON to the byte', () => {
    fc.assert(
      fc.property(anyAlert, anyContext, (alert, context) => {
        const received = back(overTheWire(sent(alert, context)));
        expect(received).toStrictEqual(structuredClone(alert));
        expect(encodeAlertJson(received)).toBe(encodeAlertJson(alert));
      }),
      { numRuns: 200 },
    );
  });

  it('does not care about the order of attributes, nor about attributes that others added', () => {
    fc.assert(
      fc.property(anyAlert, anyContext, fc.string(), (alert, context, key) => {
        const { record, resource, scope } = sent(alert, context);
        const foreign = { key: `other.${key}`, value: { kind: 'string', value: 'x' } } as const;
        const shuffled = {
          record: { ...record, attributes: [foreign, ...record.attributes].reverse() },
          resource: { ...resource, attributes: [foreign, ...resource.attributes].reverse() },
          scope: { ...scope, attributes: [foreign, ...scope.attributes].reverse() },
        };
        expect(back(shuffled)).toStrictEqual(structuredClone(alert));
      }),
    );
  });

  it('makes the same JSON of an alert whose empty fields are there as of one without them', () => {
    const padded = { ...unlinkAlert, NodeID: '', Message: '', ATags: [], TTY: '', Owner: undefined };
    const received = back(overTheWire(sent(padded, context)));
    expect(encodeAlertJson(received)).toBe(encodeAlertJson(unlinkAlert));
  });

  it('gives an alert by the schema or an OtlpError, whatever became of the record', () => {
    const change = fc.record({ at: fc.nat(), value: fc.option(fc.oneof(anyValue, likely), { nil: undefined }) });
    let whole = 0;
    fc.assert(
      fc.property(anyAlert, anyContext, fc.array(change, { minLength: 1, maxLength: 3 }), (alert, context, changes) => {
        const { record, resource, scope } = sent(alert, context);
        for (const { at, value } of changes) {
          const lists = [record.attributes, resource.attributes, scope.attributes];
          const list = lists[at % 3] as typeof record.attributes;
          const index = Math.floor(at / 3) % Math.max(1, list.length);
          const pair = list[index];
          if (pair !== undefined && value !== undefined) list[index] = { key: pair.key, value };
          else list.splice(index, 1);
        }
        try {
          const received = back(overTheWire({ record, resource, scope }));
          expect(alertSchema.safeParse(received).error).toBeUndefined();
          whole++;
        } catch (error) {
          if (!(error instanceof OtlpError)) throw error;
          expect(error.code).toBe('not-an-alert');
        }
      }),
      { numRuns: 300 },
    );
    expect(whole).toBeGreaterThan(0);
  });

  it.each<[string, Partial<LogRecord>]>([
    ['without an event name', { eventName: '' }],
    ['with the event name of something else', { eventName: 'picket.ledger' }],
    ['without a trace', { traceId: '' }],
    ['without attributes', { attributes: [] }],
  ])('refuses a record %s', (_what, change) => {
    const received = sent(unlinkAlert, context);
    expect(() => back({ ...received, record: { ...received.record, ...change } })).toThrow(OtlpError);
  });

  it('leaves out a flag that only a newer agent knows', () => {
    const received = sent({ ...unlinkAlert, Picket: { ...unlinkAlert.Picket, Flags: ['path-late'] } }, context);
    const flags = received.record.attributes.find(({ key }) => key === 'picket.flags')?.value as { value: AnyValue[] };
    flags.value.push({ kind: 'string', value: 'from-the-future' });
    expect(back(received).Picket.Flags).toEqual(['path-late']);
  });
});

/** Values that an attribute may well have. */
const likely: fc.Arbitrary<AnyValue> = fc.oneof(
  fc
    .constantFrom('Block', 'SystemEvent', 'MatchedPolicy', 'DefaultPosture', 'audit', '7', '', 'Passed')
    .map((value) => ({
      kind: 'string' as const,
      value,
    })),
  fc.constantFrom(-1, 0, 1, 11, 2 ** 32, 2n ** 63n - 1n).map((value) => ({ kind: 'int' as const, value })),
);
