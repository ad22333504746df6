import { Reader } from './reader.ts';
import { BYTES, countString, delimitedSize, type Lengths, VARINT, varintSize, Writer } from './writer.ts';

/** What a receiver did not take. Sending it again will not help. */
export interface PartialSuccess {
  rejected: number;
  message: string;
}

const PARTIAL_SUCCESS = (1 << 3) | BYTES;
const REJECTED = (1 << 3) | VARINT;
const MESSAGE = (2 << 3) | BYTES;

/**
 * The bytes of an ExportLogsServiceResponse or ExportTraceServiceResponse, which are the same. Without `partial`
 * everything was taken and the message is empty.
 */
export function encodeExportResponse(partial?: PartialSuccess): Uint8Array {
  if (partial === undefined) return new Uint8Array(0);
  const lengths: Lengths = [0];
  const size =
    (partial.rejected === 0 ? 0 : 1 + varintSize(partial.rejected)) +
    (partial.message === '' ? 0 : countString(partial.message, lengths));
  lengths[0] = size;
  const writer = new Writer(delimitedSize(size), lengths);
  writer.message(PARTIAL_SUCCESS);
  if (partial.rejected !== 0) {
    writer.varint(REJECTED);
    writer.varint(partial.rejected);
  }
  if (partial.message !== '') writer.string(MESSAGE, partial.message);
  return writer.bytes;
}

/**
 * What a receiver answered: undefined when it took everything. `rejected` 0 with a message is a warning: all was taken.
 * @throws OtlpError for bytes that are no such response
 */
export function decodeExportResponse(bytes: Uint8Array): PartialSuccess | undefined {
  const reader = new Reader(bytes);
  let partial: PartialSuccess | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === PARTIAL_SUCCESS) {
      partial ??= { rejected: 0, message: '' };
      readPartial(reader, partial);
    } else reader.skip(tag, 0b10);
  }
  return partial;
}

function readPartial(reader: Reader, partial: PartialSuccess): void {
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === REJECTED) partial.rejected = Number(reader.int64());
    else if (tag === MESSAGE) partial.message = reader.string();
    else reader.skip(tag, 0b110);
  }
  reader.leave(outer);
}
