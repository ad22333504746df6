/** What can be wrong with bytes or records that came from outside. Always the sender's doing: a retry cannot help. */
export type OtlpErrorCode =
  /** The input ends inside a field. */
  | 'truncated'
  /** A varint is longer than ten bytes, or a tag longer than five. */
  | 'bad-varint'
  /** A tag with field number 0, or with a wire type that protobuf does not have (or no longer: groups). */
  | 'bad-tag'
  /** A known field comes with another wire type than its definition says. */
  | 'wire-type'
  /** A length that reaches past the message around it. */
  | 'bad-length'
  /** A string field that is not UTF-8. */
  | 'bad-utf8'
  /** A trace id that is not 16 bytes, or a span id that is not 8. */
  | 'bad-id'
  /** Attribute values nested deeper than the decoder follows. */
  | 'too-deep'
  /** Sound OTLP, but the log record is not (or no longer) a whole alert. */
  | 'not-an-alert';

/** Bytes that are not OTLP, or a record that is not an alert. Whose fault: the sender's. Retry: never helps. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError';
  readonly code: OtlpErrorCode;
  readonly fault = 'user';
  readonly retry = false;

  constructor(code: OtlpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What can be wrong with files that telemetry keeps on this machine. */
export type StateErrorCode =
  /** Another process holds the spool. */
  | 'spool-in-use'
  /** The disk or the quota is full. A retry can help once there is room. */
  | 'disk-full'
  /** The spool could not be opened, read or written for another reason; `cause` has it. */
  | 'spool-failed'
  /** Another process holds the agent's state. */
  | 'state-in-use'
  /** The agent's state could not be opened, read or written for another reason; `cause` has it. */
  | 'state-failed'
  /** The spool was closed before or during the call. */
  | 'spool-closed'
  /** The token file cannot be read or made, or holds no token. */
  | 'token-file';

/** A file of ours that cannot be used. Whose fault: the system's. `retry` says whether the same call may succeed later. */
export class StateError extends Error {
  override readonly name = 'StateError';
  readonly code: StateErrorCode;
  readonly fault = 'system';
  readonly retry: boolean;

  constructor(code: StateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retry = code === 'disk-full' || code === 'spool-in-use' || code === 'state-in-use';
  }
}
