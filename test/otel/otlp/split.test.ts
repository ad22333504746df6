import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLogs } from '../../../otel/otlp/logs.ts';
import type { Resource } from '../../../otel/otlp/resource.ts';
import { splitResources } from '../../../otel/otlp/split.ts';
import { decodeTraces } from '../../../otel/otlp/traces.ts';
import { groups, logRecord, span } from './generators.ts';
import { logsRequest, Plainer, tracesRequest } from './reference.ts';

function named(attributes: Record<string, string>): Resource {
  return {
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: { kind: 'string', value } })),
  };
}

function request(...resources: Resource[]): Uint8Array {
  return logsRequest.encode(
    new Plainer(false).logs(resources.map((resource) => ({ resource, schemaUrl: '', scopes: [] }))),
  );
}

describe('splitResources()', () => {
  it('cuts pieces that are requests by themselves and, laid end to end, the request', () => {
    fc.assert(
      fc.property(groups(logRecord), (sent) => {
        const whole = logsRequest.encode(new Plainer(false).logs(sent));
        const pieces = splitResources(whole);
        expect(pieces.map((piece) => decodeLogs(piece.bytes))).toEqual(sent.map((group) => [group]));
        expect(Buffer.concat(pieces.map((piece) => piece.bytes))).toEqual(Buffer.from(whole));
        expect(pieces.map((piece) => piece.records)).toEqual(
          sent.map((group) => group.scopes.reduce((sum, { records }) => sum + records.length, 0)),
        );
      }),
    );
  });

  it('cuts traces the same way', () => {
    fc.assert(
      fc.property(groups(span), (sent) => {
        const pieces = splitResources(tracesRequest.encode(new Plainer(false).traces(sent)));
        expect(pieces.map((piece) => decodeTraces(piece.bytes))).toEqual(sent.map((group) => [group]));
      }),
    );
  });

  it('keys by container.id, else host.name, else not', () => {
    const bytes = request(
      named({ 'host.name': 'h', 'container.id': 'c' }),
      named({ 'host.name': 'h' }),
      named({ 'service.name': 's' }),
      { attributes: [{ key: 'container.id', value: { kind: 'int', value: 7 } }] },
    );
    expect(splitResources(bytes).map((piece) => piece.key)).toEqual(['c', 'h', undefined, undefined]);
  });

  it('keeps fields it does not know, inside and between the groups', () => {
    const group = request(named({ 'container.id': 'c' }));
    const unknown = Uint8Array.of(0x92, 0x03, 0x02, 0xff, 0xfe); // field 50
    const inside = Buffer.concat([Uint8Array.of(0x0a, unknown.length), unknown]);
    const bytes = Buffer.concat([unknown, group, unknown, unknown, inside]);
    const pieces = splitResources(bytes);
    expect(pieces.map((piece) => piece.bytes.length)).toEqual([group.length + 15, inside.length]);
    expect(Buffer.concat(pieces.map((piece) => piece.bytes))).toEqual(bytes);
  });

  it('has no pieces for an empty request', () => {
    expect(splitResources(new Uint8Array(0))).toEqual([]);
  });
});
