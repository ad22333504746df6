import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeResource, encodeScope } from '../../../otel/otlp/resource.ts';
import { encodeSpan } from '../../../otel/otlp/span.ts';
import { decodeTraces, encodeTraces } from '../../../otel/otlp/traces.ts';
import { validateTraces } from '../../../otel/otlp/validate.ts';
import { groups, resource, scope, span } from './generators.ts';
import { Plainer, tracesRequest } from './reference.ts';

const group = fc.record({ resource, scope, spans: fc.array(span, { maxLength: 4 }) });

describe('encodeTraces()', () => {
  it('writes what the second implementation reads', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 3 }), (sent) => {
        const plain = new Plainer(false).traces(
          sent.map(({ resource, scope, spans }) => ({
            resource,
            schemaUrl: '',
            scopes: [{ scope, schemaUrl: '', records: spans }],
          })),
        );
        expect(tracesRequest.decode(encodeTraces(sent))).toEqual(plain);
      }),
    );
  });

  it('takes resource, scope and spans as bytes made before and writes the same', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 3 }), (sent) => {
        const prepared = sent.map(({ resource, scope, spans }) => ({
          resource: encodeResource(resource),
          scope: encodeScope(scope),
          spans: spans.map(encodeSpan),
        }));
        expect(encodeTraces(prepared)).toEqual(encodeTraces(sent));
      }),
    );
  });
});

describe('decodeTraces()', () => {
  it('reads what the second implementation wrote, set defaults included', () => {
    fc.assert(
      fc.property(groups(span), fc.boolean(), (sent, defaults) => {
        const bytes = tracesRequest.encode(new Plainer(defaults).traces(sent));
        validateTraces(bytes);
        expect(decodeTraces(bytes)).toEqual(sent);
      }),
    );
  });
});
