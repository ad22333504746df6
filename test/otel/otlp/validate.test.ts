import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OtlpError } from '../../../otel/errors.ts';
import { decodeLogs } from '../../../otel/otlp/logs.ts';
import { splitResources } from '../../../otel/otlp/split.ts';
import { decodeTraces } from '../../../otel/otlp/traces.ts';
import { validateLogs, validateTraces } from '../../../otel/otlp/validate.ts';
import { groups, logRecord, span } from './generators.ts';
import { logsRequest, Plainer, tracesRequest } from './reference.ts';

/** The code of the OtlpError that `action` ends in, 'sound' if none; any other error fails the test. */
function outcome(action: () => unknown): string {
  try {
    action();
    return 'sound';
  } catch (error) {
    if (error instanceof OtlpError) return error.code;
    throw error;
  }
}

/** A field of wire type 2 around `content`. */
function field(number: number, ...content: (number | Uint8Array)[]): Uint8Array {
  const body = Buffer.concat(content.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)));
  return Buffer.concat([varint((number << 3) | 2), varint(body.length), body]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest < 0x80) return Uint8Array.of(...bytes, rest);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A request with one log record (or span) of this content. */
function request(...content: (number | Uint8Array)[]): Uint8Array {
  return field(1, field(2, field(2, ...content)));
}

function nested(depth: number): Uint8Array {
  let value: Uint8Array = field(1, 0x41);
  for (let i = 0; i < depth; i++) value = field(5, field(1, value));
  return request(field(5, value));
}

const broken: [string, string, Uint8Array][] = [
  ['a tag without end', 'truncated', request(0x8a)],
  ['a tag of more than 32 bits', 'bad-varint', request(0x8a, 0xff, 0xff, 0xff, 0xff, 0x01)],
  ['field number 0', 'bad-tag', request(0x02, 0x00)],
  ['a group', 'bad-tag', request(0x33, 0x34)],
  ['wire type 6', 'bad-tag', request(0x36, 0x00)],
  ['a string field as a number', 'wire-type', request(0x18, 0x01)],
  ['a time as a string', 'wire-type', request(0x0a, 0x01, 0x41)],
  ['a length past the record', 'bad-length', request(0x1a, 0x05, 0x41)],
  ['a length of 4 GiB', 'bad-length', request(0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  ['a length of more than 32 bits', 'bad-varint', request(0x1a, 0xff, 0xff, 0xff, 0xff, 0x7f)],
  ['a time of four bytes', 'truncated', request(0x09, 1, 2, 3, 4)],
  ['a varint of eleven bytes', 'bad-varint', request(0x10, ...Array(10).fill(0x80), 0x01)],
  ['a string that is not UTF-8', 'bad-utf8', request(field(3, 0xc3, 0x28))],
  ['a surrogate in UTF-8', 'bad-utf8', request(field(3, 0xed, 0xa0, 0x80))],
  ['a long string that is not UTF-8', 'bad-utf8', request(field(3, ...Array(200).fill(0x41), 0xff))],
  ['a key that is not UTF-8', 'bad-utf8', request(field(6, field(1, 0xff)))],
  ['a trace id of 15 bytes', 'bad-id', request(field(9, ...Array(15).fill(1)))],
  ['a span id of 16 bytes', 'bad-id', request(field(10, ...Array(16).fill(1)))],
  ['a thousand nested values', 'too-deep', nested(1000)],
];

describe('validateLogs()', () => {
  it.each(broken)('finds %s', (_what, code, bytes) => {
    expect(outcome(() => validateLogs(bytes))).toBe(code);
    expect(outcome(() => decodeLogs(bytes))).toBe(code);
  });

  it('lets pass ids that are empty, fields it does not know, and nesting that no one calls deep', () => {
    validateLogs(request(field(9), field(10)));
    validateLogs(request(0xa0, 0x06, 0x01, field(20, 0xff), 0xa5, 0x06, 1, 2, 3, 4));
    validateLogs(nested(40));
    validateLogs(new Uint8Array(0));
  });

  it('finds every cut inside a message that was sound', () => {
    fc.assert(
      fc.property(groups(logRecord), fc.nat(), (sent, at) => {
        const whole = logsRequest.encode(new Plainer(false).logs(sent));
        const cut = whole.subarray(0, at % (whole.length + 1));
        const ends = [0];
        for (const piece of splitResources(whole)) ends.push((ends.at(-1) as number) + piece.bytes.length);
        expect(outcome(() => validateLogs(cut)) === 'sound').toBe(ends.includes(cut.length));
      }),
    );
  });
});

describe('validateTraces()', () => {
  it('finds ids of a wrong size in spans and links', () => {
    expect(outcome(() => validateTraces(request(field(1, ...Array(17).fill(1)))))).toBe('bad-id');
    expect(outcome(() => validateTraces(request(field(4, ...Array(7).fill(1)))))).toBe('bad-id');
    expect(outcome(() => validateTraces(request(field(13, field(2, 1)))))).toBe('bad-id');
  });
});

/** Bytes that were sound, and then not: changed, cut out, put in, repeated. */
function damaged(sound: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const damage = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('change', 'remove', 'insert', 'repeat'),
    byte: fc.oneof(fc.constantFrom(0x00, 0x0a, 0x12, 0x7f, 0x80, 0xff), fc.nat(255)),
    size: fc.integer({ min: 1, max: 12 }),
  });
  return fc.tuple(sound, fc.array(damage, { minLength: 1, maxLength: 4 })).map(([bytes, damages]) =>
    damages.reduce<Uint8Array>((current, { at, kind, byte, size }) => {
      const place = at % (current.length + 1);
      const rest = current.subarray(kind === 'change' || kind === 'remove' ? place + size : place);
      const put =
        kind === 'remove'
          ? new Uint8Array(0)
          : kind === 'repeat'
            ? current.subarray(place, place + size)
            : new Uint8Array(size).fill(byte);
      return Buffer.concat([current.subarray(0, place), put, rest]);
    }, bytes),
  );
}

describe('the bounded readers', () => {
  const logs = groups(logRecord).map((sent) => logsRequest.encode(new Plainer(false).logs(sent)));
  const traces = groups(span).map((sent) => tracesRequest.encode(new Plainer(false).traces(sent)));
  const anything = fc.oneof(damaged(logs), damaged(traces), fc.uint8Array({ maxLength: 300 }));

  it('end in OtlpError or not at all, and agree with each other', () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const valid = outcome(() => validateLogs(bytes));
        expect(outcome(() => decodeLogs(bytes))).toBe(valid);
        if (valid === 'sound') expect(outcome(() => splitResources(bytes))).toBe('sound');
        expect(outcome(() => decodeTraces(bytes))).toBe(outcome(() => validateTraces(bytes)));
        outcome(() => splitResources(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
