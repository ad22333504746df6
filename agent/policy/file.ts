import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Position } from './diagnostic.ts';
import { fileLimits } from './document.ts';

/** A file that cannot be had as text; the message says what was found. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
  /** `path`: nothing could be read there. `content`: what was read is no text of a policy. */
  readonly blame: 'path' | 'content';
  /** Where in it; the beginning when it could not be opened or read. */
  readonly position: Position;

  constructor(blame: 'path' | 'content', message: string, position: Position, options?: ErrorOptions) {
    super(message, options);
    this.blame = blame;
    this.position = position;
  }
}

/**
 * The text of a policy file: UTF-8, without a byte order mark. Of one that is larger than a policy file may be, and be it
 * without end, the rest is not read. `-` is the standard input.
 *
 * @param pipes whether a pipe or a device may stand there: whoever opens one may wait for it for ever
 * @throws PolicyFileError
 */
export function readPolicyFile(file: string, { pipes }: { pipes: boolean }): string {
  const start = { file, line: 1, column: 1 };
  let bytes: Buffer;
  try {
    bytes = file === '-' ? readStart(0) : readBytes(file, pipes);
  } catch (cause) {
    throw new PolicyFileError('path', `cannot be read: ${explain(cause as NodeJS.ErrnoException)}`, start, { cause });
  }
  const { bytes: most } = fileLimits;
  if (bytes.length > most)
    throw new PolicyFileError('content', `found more than ${most} bytes; allowed: at most ${most}`, start);
  const utf16 = bytes.length >= 2 && [0xfeff, 0xfffe].includes(bytes.readUInt16BE(0));
  if (utf16) throw new PolicyFileError('content', 'found UTF-16; allowed: UTF-8', start);
  // With a replacement character in its place a rule would be about another path, and silently so.
  if (!isUtf8(bytes)) {
    const { byte, ...place } = firstOdd(bytes);
    const shown = `0x${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    const message = `found the byte ${shown}, which is not UTF-8 here; allowed: text in UTF-8`;
    throw new PolicyFileError('content', message, { file, ...place });
  }
  return new TextDecoder().decode(bytes);
}

function readBytes(file: string, pipes: boolean): Buffer {
  const descriptor = openSync(file, constants.O_RDONLY | (pipes ? 0 : constants.O_NONBLOCK));
  try {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new Error('it is a folder; allowed: a file');
    if (!pipes && !stat.isFile()) throw new Error('it is no regular file');
    return readStart(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As much as a policy file may have, and one byte more. */
function readStart(descriptor: number): Buffer {
  const chunks: Buffer[] = [];
  for (let left = fileLimits.bytes + 1; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, 1024 * 1024));
    const length = readSync(descriptor, chunk, 0, chunk.length, null);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    left -= length;
  }
  return Buffer.concat(chunks);
}

const words: Readonly<Record<string, string>> = {
  ELOOP: 'its symbolic links lead in a circle (ELOOP)',
  EACCES: 'you may not read it (EACCES)',
};

function explain({ code, message }: NodeJS.ErrnoException): string {
  return words[code ?? ''] ?? message;
}

/** Where the first byte stands that is not UTF-8; columns count characters. */
function firstOdd(bytes: Buffer): { line: number; column: number; byte: number } {
  const text = bytes.toString('utf8');
  for (let at = 0, from = 0, offset = 0; ; from = at + 1, offset += replacement.length) {
    at = text.indexOf('\ufffd', from);
    if (at < 0) throw new Error('every byte is UTF-8');
    offset += Buffer.byteLength(text.slice(from, at));
    if (bytes.subarray(offset, offset + replacement.length).equals(replacement)) continue; // it was written
    const before = text.slice(0, at);
    const line = before.split('\n').length;
    return { line, column: at - before.lastIndexOf('\n'), byte: bytes[offset] ?? 0 };
  }
}

const replacement = Buffer.from('\ufffd');
