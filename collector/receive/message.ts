import { createGunzip } from 'node:zlib';
import type { BudgetShare } from './budget.ts';
import { CallError, code, overloaded } from './grpc-status.ts';

/** What one call may bring: bytes on the wire and bytes after decompression are bounded by the same number. */
export interface MessageLimits {
  readonly maxBytes: number;
}

/** One byte of flags, four of length. */
const PREFIX = 5;

interface Framed {
  readonly compressed: boolean;
  readonly bytes: Buffer;
}

/**
 * The one message of a unary call: a byte that says "compressed", four bytes of length (big endian), the message
 * (grpc: PROTOCOL-HTTP2.md, Length-Prefixed-Message). Takes what it holds from `share` while it arrives.
 * Throws CallError: INVALID_ARGUMENT for none, a cut one or more than one; RESOURCE_EXHAUSTED for one that is too long.
 */
export async function readMessage(
  chunks: AsyncIterable<Buffer>,
  limits: MessageLimits,
  share: BudgetShare,
): Promise<Framed> {
  // One buffer that grows: thousands of tiny frames must not cost more than the bytes that are counted.
  let room = Buffer.allocUnsafe(0);
  let held = 0;
  for await (const chunk of chunks) {
    if (held + chunk.length > room.length) {
      const size = Math.max(held + chunk.length, Math.min(2 * room.length, limits.maxBytes + PREFIX));
      if (!share.take(size - room.length)) throw overloaded('too many bytes in flight');
      const larger = Buffer.allocUnsafe(size);
      room.copy(larger, 0, 0, held);
      room = larger;
    }
    chunk.copy(room, held);
    held += chunk.length;
    if (held < PREFIX) continue;
    const length = room.readUInt32BE(1);
    if (length > limits.maxBytes)
      throw new CallError(code.resourceExhausted, `message of ${length} bytes, at most ${limits.maxBytes} are taken`);
    if (held > PREFIX + length) throw new CallError(code.invalidArgument, 'more than one message in a unary call');
  }
  if (held < PREFIX || held < PREFIX + room.readUInt32BE(1))
    throw new CallError(code.invalidArgument, held === 0 ? 'no message' : `message cut short after ${held} bytes`);
  const flag = room[0];
  if (flag !== 0 && flag !== 1)
    throw new CallError(code.invalidArgument, `compressed flag is ${flag}, neither 0 nor 1`);
  return { compressed: flag === 1, bytes: room.subarray(PREFIX, held) };
}

/**
 * Gunzips piece by piece, so that a bomb costs no more than `maxBytes` and a share of the budget.
 * Throws CallError: RESOURCE_EXHAUSTED beyond that, INVALID_ARGUMENT for anything that is not gzip.
 */
export async function gunzip(bytes: Buffer, limits: MessageLimits, share: BudgetShare): Promise<Buffer> {
  const parts: Buffer[] = [];
  let held = 0;
  const unpacked = createGunzip({ chunkSize: 64 * 1024 });
  unpacked.end(bytes);
  try {
    for await (const part of unpacked as AsyncIterable<Buffer>) {
      held += part.length;
      if (held > limits.maxBytes)
        throw new CallError(code.resourceExhausted, `message unpacks to more than ${limits.maxBytes} bytes`);
      if (!share.take(part.length)) throw overloaded('too many bytes in flight');
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof CallError) throw cause;
    throw new CallError(code.invalidArgument, `not gzip: ${(cause as Error).message}`, { cause });
  } finally {
    unpacked.destroy();
  }
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, held);
}

/** An uncompressed message with its prefix, as an answer is sent. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX);
  return framed;
}
