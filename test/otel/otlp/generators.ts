import fc from 'fast-check';
import type { AnyValue, KeyValue } from '../../../otel/otlp/attribute.ts';
import type { LogRecord } from '../../../otel/otlp/log.ts';
import type { ResourceRecords } from '../../../otel/otlp/request.ts';
import type { Resource, Scope } from '../../../otel/otlp/resource.ts';
import type { Span } from '../../../otel/otlp/span.ts';
import type { SpanEvent, SpanLink } from '../../../otel/otlp/span-parts.ts';

/** Text of any kind that UTF-8 can carry, some of it longer than what the codec calls short. */
export const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 30, maxLength: 200, size: 'max' }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 30, maxLength: 200, size: 'max' }) },
);

const uint32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const dropped = uint32.filter((count) => count > 0);
const time = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const int64 = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).filter((value) => !Number.isSafeInteger(Number(value))),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n),
);

function hex(bytes: number): fc.Arbitrary<string> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => Buffer.from(id).toString('hex')),
    },
    { weight: 1, arbitrary: fc.constant('') },
  );
}

const { value } = fc.letrec<{ value: AnyValue; pair: KeyValue }>((tie) => ({
  pair: fc.record({ key: text, value: tie('value') }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('string' as const), value: text }),
    fc.record({ kind: fc.constant('bool' as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant('int' as const), value: int64 }),
    fc.record({ kind: fc.constant('double' as const), value: fc.double() }),
    fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array() }),
    fc.constant<AnyValue>({ kind: 'empty' }),
    fc.record({ kind: fc.constant('array' as const), value: fc.array(tie('value'), { maxLength: 4 }) }),
    fc.record({ kind: fc.constant('map' as const), value: fc.array(tie('pair'), { maxLength: 4 }) }),
  ),
}));
export const anyValue = value;

const pairs = fc.array(fc.record({ key: text, value: anyValue }), { maxLength: 5 });

export const resource: fc.Arbitrary<Resource> = fc.record(
  { attributes: pairs, droppedAttributesCount: dropped },
  { requiredKeys: ['attributes'] },
);

export const scope: fc.Arbitrary<Scope> = fc.record(
  { name: text, version: text, attributes: pairs, droppedAttributesCount: dropped },
  { requiredKeys: ['name', 'version', 'attributes'] },
);

export const logRecord: fc.Arbitrary<LogRecord> = fc.record(
  {
    timeUnixNano: time,
    observedTimeUnixNano: time,
    severityNumber: fc.integer({ min: 0, max: 24 }),
    severityText: text,
    attributes: pairs,
    flags: uint32,
    traceId: hex(16),
    spanId: hex(8),
    eventName: text,
    body: anyValue,
    droppedAttributesCount: dropped,
  },
  {
    requiredKeys: [
      ...(['timeUnixNano', 'observedTimeUnixNano', 'severityNumber', 'severityText', 'attributes'] as const),
      ...(['flags', 'traceId', 'spanId', 'eventName'] as const),
    ],
  },
);

const event: fc.Arbitrary<SpanEvent> = fc.record(
  { timeUnixNano: time, name: text, attributes: pairs, droppedAttributesCount: dropped },
  { requiredKeys: ['timeUnixNano', 'name', 'attributes'] },
);

const link: fc.Arbitrary<SpanLink> = fc.record(
  {
    traceId: hex(16),
    spanId: hex(8),
    traceState: text,
    attributes: pairs,
    droppedAttributesCount: dropped,
    flags: uint32,
  },
  { requiredKeys: ['traceId', 'spanId', 'traceState', 'attributes', 'flags'] },
);

const optionalSpanFields = {
  droppedAttributesCount: dropped,
  droppedEventsCount: dropped,
  droppedLinksCount: dropped,
  status: fc.record({ code: fc.integer({ min: 0, max: 2 }), message: text }),
};
const requiredSpanFields = {
  traceId: hex(16),
  spanId: hex(8),
  traceState: text,
  parentSpanId: hex(8),
  flags: uint32,
  name: text,
  kind: fc.integer({ min: 0, max: 5 }),
  startTimeUnixNano: time,
  endTimeUnixNano: time,
  attributes: pairs,
  events: fc.array(event, { maxLength: 3 }),
  links: fc.array(link, { maxLength: 3 }),
};
export const span: fc.Arbitrary<Span> = fc
  .tuple(fc.record(requiredSpanFields), fc.record(optionalSpanFields, { requiredKeys: [] }))
  .map(([required, optional]) => ({ ...required, ...optional }));

/** What a sender may put into a request. */
export function groups<R>(record: fc.Arbitrary<R>): fc.Arbitrary<ResourceRecords<R>[]> {
  const scopes = fc.array(fc.record({ scope, schemaUrl: text, records: fc.array(record, { maxLength: 4 }) }), {
    maxLength: 3,
  });
  return fc.array(fc.record({ resource, schemaUrl: text, scopes }), { maxLength: 3 });
}
