/** A set of bytes; two sets are equal when their keys are. */
export interface ByteSet {
  readonly key: string;
  /** 1 at the bytes that belong to it; 256 of them. */
  readonly has: Uint8Array;
}

const slash = 0x2f;

function byteSet(key: string, has: (byte: number) => boolean): ByteSet {
  return { key, has: Uint8Array.from({ length: 256 }, (_, byte) => Number(has(byte))) };
}

export const noByte: ByteSet = byteSet('', () => false);
export const anyByte: ByteSet = byteSet('**', () => true);
export const notSlash: ByteSet = byteSet('*', (byte) => byte !== slash);

const singles: readonly ByteSet[] = Array.from({ length: 256 }, (_, single) =>
  byteSet(single.toString(16).padStart(2, '0'), (byte) => byte === single),
);

export function single(byte: number): ByteSet {
  return singles[byte] ?? noByte;
}

export const slashAlone: ByteSet = single(slash);

/** The members of a class, or with `negated` all other bytes; never the slash. */
export function classOf(members: ReadonlySet<number>, negated: boolean): ByteSet {
  const bytes: number[] = [];
  for (let byte = 0; byte < 256; byte++) if (byte !== slash && members.has(byte) !== negated) bytes.push(byte);
  const [first] = bytes;
  if (first === undefined) return noByte;
  if (bytes.length === 1) return single(first);
  if (bytes.length === 255) return notSlash;
  const has = new Uint8Array(256);
  for (const byte of bytes) has[byte] = 1;
  return { key: Buffer.from(bytes).toString('hex'), has };
}

export function isSubset(inner: ByteSet, outer: ByteSet): boolean {
  if (inner.key === outer.key || outer === anyByte) return true;
  return inner.has.every((member, byte) => member === 0 || outer.has[byte] === 1);
}
