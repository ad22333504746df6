import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLogs, encodeLogs } from '../../../otel/otlp/logs.ts';
import { encodeResource, encodeScope } from '../../../otel/otlp/resource.ts';
import { validateLogs } from '../../../otel/otlp/validate.ts';
import { groups, logRecord, resource, scope } from './generators.ts';
import { logsRequest, Plainer } from './reference.ts';

const group = fc.record({ resource, scope, records: fc.array(logRecord, { maxLength: 4 }) });

describe('encodeLogs()', () => {
  it('writes what the second implementation reads', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 3 }), (sent) => {
        const plain = new Plainer(false).logs(
          sent.map(({ resource, scope, records }) => ({
            resource,
            schemaUrl: '',
            scopes: [{ scope, schemaUrl: '', records }],
          })),
        );
        expect(logsRequest.decode(encodeLogs(sent))).toEqual(plain);
      }),
    );
  });

  it('takes resource and scope as bytes made before and writes the same', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 3 }), (sent) => {
        const prepared = sent.map(({ resource, scope, records }) => ({
          resource: encodeResource(resource),
          scope: encodeScope(scope),
          records,
        }));
        expect(encodeLogs(prepared)).toEqual(encodeLogs(sent));
      }),
    );
  });

  it('puts neighbouring groups of one resource into one ResourceLogs', () => {
    const shared = encodeResource({ attributes: [{ key: 'container.id', value: { kind: 'string', value: 'c' } }] });
    const scopes = ['a', 'b'].map((name) => ({ name, version: '', attributes: [] }));
    const read = decodeLogs(encodeLogs(scopes.map((scope) => ({ resource: shared, scope, records: [] }))));
    expect(read.map((group) => group.scopes.map(({ scope }) => scope.name))).toEqual([['a', 'b']]);
  });

  it('writes half of a surrogate pair as U+FFFD, in short and in long text', () => {
    for (const padding of ['', 'x'.repeat(100)]) {
      const record = { ...emptyRecord, severityText: `${padding}\ud800\ude00\ud800` };
      const bytes = encodeLogs([{ resource: { attributes: [] }, scope: emptyScope, records: [record] }]);
      validateLogs(bytes);
      expect(decodeLogs(bytes)[0]?.scopes[0]?.records[0]?.severityText).toBe(`${padding}\ud800\ude00\ufffd`);
    }
  });
});

const emptyScope = { name: '', version: '', attributes: [] };
const emptyRecord = {
  ...{ timeUnixNano: 0n, observedTimeUnixNano: 0n, severityNumber: 0, severityText: '', attributes: [], flags: 0 },
  ...{ traceId: '', spanId: '', eventName: '' },
};

describe('decodeLogs()', () => {
  it('reads what the second implementation wrote, set defaults included', () => {
    fc.assert(
      fc.property(groups(logRecord), fc.boolean(), (sent, defaults) => {
        const bytes = logsRequest.encode(new Plainer(defaults).logs(sent));
        validateLogs(bytes);
        expect(decodeLogs(bytes)).toEqual(sent);
      }),
    );
  });
});
