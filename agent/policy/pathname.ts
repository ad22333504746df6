const strict = new TextDecoder('utf-8', { fatal: true });

/**
 * A path from the file system as a string that loses nothing: bytes that are not UTF-8 become the lone surrogates
 * U+DC80 to U+DCFF (as Python's "surrogateescape" does), which pathBytes turns back.
 */
export function pathFromBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    let path = '';
    for (let i = 0; i < bytes.length; ) {
      const length = sequenceLength(bytes, i);
      if (length === 0) path += String.fromCharCode(0xdc00 + (bytes[i] ?? 0));
      else path += strict.decode(bytes.subarray(i, i + length));
      i += Math.max(length, 1);
    }
    return path;
  }
}

/** Length of the valid UTF-8 sequence at `at`, 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

/** The bytes of a path as the kernel holds them. */
export function pathBytes(path: string): Buffer {
  if (!/[\udc80-\udcff]/.test(path)) return Buffer.from(path);
  const parts: Buffer[] = [];
  for (const character of path) {
    const code = character.length === 1 ? character.charCodeAt(0) : 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}
