/** What can go wrong in the collector, as a whole. */
export type CollectorErrorCode =
  /** The configuration file cannot be read or says something that is not allowed. */
  | 'config'
  /** The OTLP address or the status socket belongs to somebody else. */
  | 'address-in-use'
  /** The state directory cannot be made or written. */
  | 'state'
  /** There is no alert store to read. */
  | 'store-missing'
  /** The alert store cannot be opened, or is not one. */
  | 'store'
  /** A word on the command line that is not understood. */
  | 'usage';

const USER: ReadonlySet<CollectorErrorCode> = new Set(['config', 'address-in-use', 'store-missing', 'usage']);

/** An error for people: the message says what was tried, what was found and what to do next. No retry mends it. */
export class CollectorError extends Error {
  override readonly name = 'CollectorError';
  readonly code: CollectorErrorCode;
  /** Whose doing it is. */
  readonly fault: 'user' | 'system';
  readonly retry = false;

  constructor(code: CollectorErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.fault = USER.has(code) ? 'user' : 'system';
  }
}
