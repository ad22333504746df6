import { Reader } from './reader.ts';
import { BYTES, FIXED32, FIXED64, VARINT } from './writer.ts';

/** How a field lies on the wire and what its content must be; a message is given by its fields, by number. */
type Field = 'varint' | 'fixed64' | 'fixed32' | 'string' | 'bytes' | 'trace id' | 'span id' | Message;
interface Message extends ReadonlyMap<number, Field> {}

function message(fields: Record<number, Field>): Message {
  return new Map(Object.entries(fields).map(([number, field]) => [Number(number), field]));
}

const anyValue = new Map<number, Field>();
const keyValue = message({ 1: 'string', 2: anyValue });
const pairs = message({ 1: keyValue });
for (const [number, field] of message({ 1: 'string', 2: 'varint', 3: 'varint', 4: 'fixed64', 6: pairs, 7: 'bytes' })) {
  anyValue.set(number, field);
}
anyValue.set(5, message({ 1: anyValue }));

const resource = message({ 1: keyValue, 2: 'varint' });
const scope = message({ 1: 'string', 2: 'string', 3: keyValue, 4: 'varint' });

const logRecord = message({
  ...{ 1: 'fixed64', 2: 'varint', 3: 'string', 5: anyValue, 6: keyValue, 7: 'varint', 8: 'fixed32' },
  ...{ 9: 'trace id', 10: 'span id', 11: 'fixed64', 12: 'string' },
});

const event = message({ 1: 'fixed64', 2: 'string', 3: keyValue, 4: 'varint' });
const link = message({ 1: 'trace id', 2: 'span id', 3: 'string', 4: keyValue, 5: 'varint', 6: 'fixed32' });
const status = message({ 2: 'string', 3: 'varint' });
const span = message({
  ...{ 1: 'trace id', 2: 'span id', 3: 'string', 4: 'span id', 5: 'string', 6: 'varint', 7: 'fixed64', 8: 'fixed64' },
  ...{ 9: keyValue, 10: 'varint', 11: event, 12: 'varint', 13: link, 14: 'varint', 15: status, 16: 'fixed32' },
});

function request(record: Message): Message {
  return message({ 1: message({ 1: resource, 2: message({ 1: scope, 2: record, 3: 'string' }), 3: 'string' }) });
}

const logsRequest = request(logRecord);
const tracesRequest = request(span);

/**
 * Walks an ExportLogsServiceRequest to its last byte without building anything. Fields that the walk does not know pass
 * as long as their wire form is sound. Ids are of their size or empty, as the OpenTelemetry Collector has it.
 * @throws OtlpError for broken tags, lengths, varints, UTF-8, ids and for nesting that is too deep; no other error
 */
export function validateLogs(bytes: Uint8Array): void {
  walk(new Reader(bytes), logsRequest);
}

/** The same for an ExportTraceServiceRequest. @throws OtlpError */
export function validateTraces(bytes: Uint8Array): void {
  walk(new Reader(bytes), tracesRequest);
}

const wireTypes = { varint: VARINT, fixed64: FIXED64, fixed32: FIXED32 } as const;

function walk(reader: Reader, fields: Message): void {
  while (reader.more()) {
    const tag = reader.tag();
    const field = fields.get(tag >>> 3);
    if (field === undefined) {
      reader.skip(tag, 0);
    } else if (field === 'varint' || field === 'fixed64' || field === 'fixed32') {
      reader.skip(tag, (tag & 7) === wireTypes[field] ? 0 : ~0);
    } else if ((tag & 7) !== BYTES) {
      reader.skip(tag, ~0);
    } else if (field === 'string') {
      reader.checkString();
    } else if (field === 'bytes') {
      reader.skip(tag, 0);
    } else if (field === 'trace id') {
      reader.checkId(16);
    } else if (field === 'span id') {
      reader.checkId(8);
    } else {
      const outer = reader.enter();
      walk(reader, field);
      reader.leave(outer);
    }
  }
}
