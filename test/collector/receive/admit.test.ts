import { expect, test } from 'vitest';
import { admit } from '../../../collector/receive/admit.ts';
import { decodeLogs, encodeLogs } from '../../../otel/otlp/logs.ts';
import { decodeTraces } from '../../../otel/otlp/traces.ts';
import { field, logRecord, RESOURCE, SCOPE } from '../samples.ts';

const sound = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [logRecord('a'), logRecord('b')] }]);
/** A log record whose trace id has three bytes; a span whose name is not UTF-8. */
const badRecord = field(9, Buffer.from('abc'));
const badSpan = field(5, Buffer.from([0xff]));
const goodSpan = field(5, Buffer.from('good'));

const request = (...records: Uint8Array[]) =>
  field(1, field(2, Buffer.concat(records.map((record) => field(2, record)))));

test('admit() lets a sound request in as it came', () => {
  const unknown = Buffer.concat([sound, field(15, Buffer.from('from the future'))]);
  for (const bytes of [sound, unknown]) {
    const admitted = admit('logs', Buffer.from(bytes));
    expect(admitted).toMatchObject({ records: 2, rejected: 0, reason: '' });
    expect(Buffer.from(admitted.request ?? [])).toEqual(Buffer.from(bytes));
  }
});

test('admit() has nothing to keep of a request without records', () => {
  const empty = encodeLogs([{ resource: RESOURCE, scope: SCOPE, records: [] }]);
  for (const bytes of [Buffer.alloc(0), empty])
    expect(admit('logs', Buffer.from(bytes))).toEqual({ request: undefined, records: 0, rejected: 0, reason: '' });
});

test('admit() takes broken records out and lets the others in, of logs and of spans', () => {
  const logs = admit('logs', Buffer.concat([sound, request(badRecord, badRecord)]));
  expect(logs).toMatchObject({ records: 2, rejected: 2, reason: expect.stringMatching(/id of 3 bytes/) });
  expect(decodeLogs(logs.request as Uint8Array)).toEqual(decodeLogs(sound));

  const spans = admit('traces', request(goodSpan, badSpan, goodSpan));
  expect(spans).toMatchObject({ records: 2, rejected: 1, reason: expect.stringMatching(/UTF-8/) });
  expect(decodeTraces(spans.request as Uint8Array)[0]?.scopes[0]?.records.map(({ name }) => name)).toEqual([
    'good',
    'good',
  ]);
});

test.each<[string, Buffer]>([
  ['no protobuf', Buffer.from('GET / HTTP/1.1')],
  ['a request cut short', Buffer.from(sound.subarray(0, -1))],
  ['only broken records', request(badRecord)],
  [
    'a broken resource',
    field(
      1,
      Buffer.concat([field(1, field(1, Buffer.from([0x0a, 0xff]))), field(2, field(2, field(12, Buffer.from('x'))))]),
    ),
  ],
  [
    'a broken scope beside sound records',
    field(1, field(2, Buffer.concat([field(1, field(1, Buffer.from([0xff]))), field(2, field(12, Buffer.from('x')))]))),
  ],
])('admit() refuses %s as a whole', (_, bytes) => {
  expect(() => admit('logs', bytes)).toThrow(expect.objectContaining({ name: 'OtlpError' }));
});
