import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutGroup, siftGroup } from '../../../collector/route/regroup.ts';
import { decodeLogs, encodeLogs } from '../../../otel/otlp/logs.ts';
import { validateLogs } from '../../../otel/otlp/validate.ts';
import { field, logRecord, RESOURCE, SCOPE } from '../samples.ts';

/** One resource group; each scope has the records whose bodies are given. */
const group = (...scopes: string[][]) =>
  encodeLogs(
    scopes.map((bodies) => ({ resource: RESOURCE, scope: SCOPE, records: bodies.map((body) => logRecord(body)) })),
  );
const bodies = (request: Uint8Array) =>
  decodeLogs(request).flatMap(({ scopes }) =>
    scopes.flatMap(({ records }) => records.map(({ body }) => (body?.kind === 'string' ? body.value : undefined))),
  );

test('cutGroup() leaves a group alone that is small enough', () => {
  const request = group(['a', 'b']);
  expect(cutGroup(request, request.length)).toEqual([request]);
});

test('cutGroup() cuts between records: nothing is lost, all pieces are valid, whole in resource and scope, and small', () => {
  const scopes = fc.array(fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(scopes, fc.integer({ min: 700, max: 3000 }), (texts, maxBytes) => {
      const request = group(...texts);
      const pieces = cutGroup(request, maxBytes);
      expect(pieces.flatMap(bodies)).toEqual(texts.flat());
      for (const piece of pieces) {
        validateLogs(piece);
        expect(piece.length).toBeLessThanOrEqual(maxBytes);
        for (const { resource, scopes: inner } of decodeLogs(piece)) {
          expect(resource).toEqual(RESOURCE);
          for (const { scope } of inner) expect(scope).toEqual(SCOPE);
        }
      }
    }),
  );
});

test('cutGroup() gives a record that is too large a piece of its own', () => {
  const large = 'x'.repeat(5000);
  expect(cutGroup(group(['a', large, 'b']), 2000).map(bodies)).toEqual([['a'], [large], ['b']]);
});

test('cutGroup() does not multiply a resource that fills most of a piece', () => {
  const resource = { attributes: [{ key: 'fat', value: { kind: 'string' as const, value: 'x'.repeat(3000) } }] };
  const request = encodeLogs([{ resource, scope: SCOPE, records: ['a', 'b', 'c'].map((body) => logRecord(body)) }]);
  expect(cutGroup(request, 3200)).toEqual([request]);
});

test('siftGroup() takes out what the check throws at, and keeps unknown fields and schema URLs byte for byte', () => {
  const [inner] = [group(['good', 'bad', 'fine'])];
  const content = inner.subarray(inner.length > 129 ? 3 : 2);
  const extra = Buffer.concat([field(3, Buffer.from('https://schema')), field(19, Buffer.from('unknown'))]);
  const request = field(1, Buffer.concat([content, extra]));
  const sifted = siftGroup(request, (record) => {
    if (bodies(record)[0] === 'bad') throw new Error('is bad');
  });
  expect(sifted).toMatchObject({ kept: 2, rejected: 1, reason: 'is bad' });
  expect(bodies(sifted.request as Uint8Array)).toEqual(['good', 'fine']);
  expect(Buffer.from(sifted.request as Uint8Array).includes(extra)).toBe(true);
  expect(siftGroup(request, () => {})).toMatchObject({ kept: 3, rejected: 0, reason: '' });
  expect(bodies(siftGroup(request, () => {}).request as Uint8Array)).toEqual(['good', 'bad', 'fine']);
});

test('siftGroup() of a group without a sound record leaves nothing', () => {
  const sifted = siftGroup(group(['a']), () => {
    throw new Error('no');
  });
  expect(sifted).toEqual({ request: undefined, kept: 0, rejected: 1, reason: 'no' });
});
