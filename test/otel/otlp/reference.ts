import protobuf from 'protobufjs';
import type { AnyValue, KeyValue } from '../../../otel/otlp/attribute.ts';
import type { LogRecord } from '../../../otel/otlp/log.ts';
import type { ResourceLogs } from '../../../otel/otlp/logs.ts';
import type { ResourceRecords } from '../../../otel/otlp/request.ts';
import type { Resource, Scope } from '../../../otel/otlp/resource.ts';
import type { Span } from '../../../otel/otlp/span.ts';
import type { ResourceSpans } from '../../../otel/otlp/traces.ts';

/** The second implementation: protobufjs on the official definitions, unknown to the code under test. */
const folder = new URL('../proto/', import.meta.url).pathname;
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => folder + target;
root.loadSync([
  'opentelemetry/proto/collector/logs/v1/logs_service.proto',
  'opentelemetry/proto/collector/trace/v1/trace_service.proto',
]);

type Plain = Record<string, unknown>;

export class ReferenceMessage {
  readonly #type: protobuf.Type;

  constructor(name: string) {
    this.#type = root.lookupType(name);
  }

  encode(plain: Plain): Uint8Array {
    return this.#type.encode(this.#type.fromObject(plain)).finish();
  }

  /** Integers of 64 bits as decimal text, bytes as base64, enums as numbers; what is not set is absent. */
  decode(bytes: Uint8Array): Plain {
    return this.#type.toObject(this.#type.decode(bytes), { longs: String, bytes: String });
  }
}

export const logsRequest = new ReferenceMessage('opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest');
export const logsResponse = new ReferenceMessage('opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse');
export const tracesRequest = new ReferenceMessage('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest');
export const tracesResponse = new ReferenceMessage('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse');

/**
 * Picket's objects in the form of the second implementation. With `defaults`, empty strings and zeros are there and go
 * onto the wire; without, they are absent, as after a round trip.
 */
export class Plainer {
  readonly #defaults: boolean;

  constructor(defaults: boolean) {
    this.#defaults = defaults;
  }

  logs(groups: readonly ResourceLogs[]): Plain {
    return this.#request('resourceLogs', 'scopeLogs', 'logRecords', groups, (record) => this.record(record));
  }

  traces(groups: readonly ResourceSpans[]): Plain {
    return this.#request('resourceSpans', 'scopeSpans', 'spans', groups, (span) => this.span(span));
  }

  #request<R>(
    top: string,
    middle: string,
    bottom: string,
    groups: readonly ResourceRecords<R>[],
    one: (r: R) => Plain,
  ) {
    return this.#pruned({
      [top]: groups.map((group) =>
        this.#pruned({
          resource: this.resource(group.resource),
          [middle]: group.scopes.map((scope) =>
            this.#pruned({
              scope: this.scope(scope.scope),
              [bottom]: scope.records.map(one),
              schemaUrl: scope.schemaUrl,
            }),
          ),
          schemaUrl: group.schemaUrl,
        }),
      ),
    });
  }

  resource(resource: Resource): Plain {
    return this.#pruned({ ...resource, attributes: this.pairs(resource.attributes) });
  }

  scope(scope: Scope): Plain {
    return this.#pruned({ ...scope, attributes: this.pairs(scope.attributes) });
  }

  record(record: LogRecord): Plain {
    return this.#pruned({
      ...record,
      ...times(record, 'timeUnixNano', 'observedTimeUnixNano'),
      ...ids(record, 'traceId', 'spanId'),
      body: record.body && value(record.body, this),
      attributes: this.pairs(record.attributes),
    });
  }

  span(span: Span): Plain {
    return this.#pruned({
      ...span,
      ...times(span, 'startTimeUnixNano', 'endTimeUnixNano'),
      ...ids(span, 'traceId', 'spanId', 'parentSpanId'),
      attributes: this.pairs(span.attributes),
      events: span.events.map((event) =>
        this.#pruned({ ...event, ...times(event, 'timeUnixNano'), attributes: this.pairs(event.attributes) }),
      ),
      links: span.links.map((link) =>
        this.#pruned({ ...link, ...ids(link, 'traceId', 'spanId'), attributes: this.pairs(link.attributes) }),
      ),
      status: span.status && this.#pruned({ ...span.status }),
    });
  }

  pairs(pairs: readonly KeyValue[]): Plain[] {
    return pairs.map((pair) => this.#pruned({ key: pair.key, value: value(pair.value, this) }));
  }

  #pruned(plain: Plain): Plain {
    for (const [key, inner] of Object.entries(plain)) {
      const unset = inner === '' || inner === 0 || inner === '0' || (Array.isArray(inner) && inner.length === 0);
      if (inner === undefined || (unset && !this.#defaults)) delete plain[key];
    }
    return plain;
  }
}

function value(any: AnyValue, plainer: Plainer): Plain {
  switch (any.kind) {
    case 'string':
      return { stringValue: any.value };
    case 'bool':
      return { boolValue: any.value };
    case 'int':
      return { intValue: String(any.value) };
    case 'double':
      return { doubleValue: any.value };
    case 'bytes':
      return { bytesValue: Buffer.from(any.value).toString('base64') };
    case 'array':
      return { arrayValue: listed(any.value.map((entry) => value(entry, plainer))) };
    case 'map':
      return { kvlistValue: listed(plainer.pairs(any.value)) };
    case 'empty':
      return {};
  }
}

function listed(values: Plain[]): Plain {
  return values.length === 0 ? {} : { values };
}

function times<K extends string>(object: Record<K, bigint>, ...keys: K[]): Plain {
  return Object.fromEntries(keys.map((key) => [key, String(object[key])]));
}

function ids<K extends string>(object: Record<K, string>, ...keys: K[]): Plain {
  return Object.fromEntries(keys.map((key) => [key, Buffer.from(object[key], 'hex').toString('base64')]));
}
