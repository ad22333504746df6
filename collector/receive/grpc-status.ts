import type { OutgoingHttpHeaders } from 'node:http2';

/** The gRPC status codes that the receiver gives (grpc: doc/statuscodes.md). */
export const code = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type StatusCode = (typeof code)[keyof typeof code];

/** A call that ends with a status other than OK. `retryAfterMs` tells the sender when to come again (RetryInfo). */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly status: StatusCode;
  readonly retryAfterMs: number | undefined;

  constructor(status: StatusCode, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.status = status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Overload is said as UNAVAILABLE with RetryInfo: RESOURCE_EXHAUSTED without it makes OTLP senders drop the batch. */
export const overloaded = (message: string, cause?: unknown): CallError =>
  new CallError(code.unavailable, message, { retryAfterMs: 1000, cause });

/** `grpc-status`, `grpc-message` and, with a time to come again, `grpc-status-details-bin`. */
export function statusFields(status: StatusCode, message = '', retryAfterMs?: number): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = { 'grpc-status': String(status) };
  if (message) fields['grpc-message'] = percentEncode(message.slice(0, 1000));
  if (retryAfterMs !== undefined)
    fields['grpc-status-details-bin'] = details(status, message.slice(0, 1000), retryAfterMs).toString('base64');
  return fields;
}

/** Bytes outside 0x20-0x7E, and `%` itself, as %XX (grpc: PROTOCOL-HTTP2.md, Status-Message). */
function percentEncode(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message))
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

/**
 * google.rpc.Status with one google.rpc.RetryInfo:
 * Status { code = 1 varint; message = 2 string; details = 3 Any { type_url = 1 string; value = 2 RetryInfo
 * { retry_delay = 1 Duration { seconds = 1 varint; nanos = 2 varint } } } }
 */
function details(status: StatusCode, message: string, retryAfterMs: number): Buffer {
  const duration = Buffer.concat([
    Buffer.from([0x08, ...varint(Math.floor(retryAfterMs / 1000))]),
    Buffer.from([0x10, ...varint((retryAfterMs % 1000) * 1_000_000)]),
  ]);
  const any = Buffer.concat([
    field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo')),
    field(2, field(1, duration)),
  ]);
  return Buffer.concat([Buffer.from([0x08, status]), field(2, Buffer.from(message)), field(3, any)]);
}

const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
