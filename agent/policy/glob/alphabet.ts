import type { ByteSet } from './byte-set.ts';

/** Bytes that no set tells apart are one class; numbered in the order of their first bytes. */
export interface Alphabet {
  /** Class of each byte. */
  readonly classOf: Uint8Array;
  /** A byte of each class. */
  readonly byteOf: readonly number[];
}

export function alphabetOf(sets: Iterable<ByteSet>): Alphabet {
  const distinct = new Map<string, ByteSet>();
  for (const set of sets) distinct.set(set.key, set);
  let classOf = new Uint8Array(256);
  let count = 1;
  for (const { has } of distinct.values()) {
    // Each class falls into the bytes inside the set and those outside.
    const refined = new Uint8Array(256);
    const numbers = new Map<number, number>();
    for (let byte = 0; byte < 256; byte++) {
      const part = (classOf[byte] ?? 0) * 2 + (has[byte] ?? 0);
      let number = numbers.get(part);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(part, number);
      }
      refined[byte] = number;
    }
    classOf = refined;
    count = numbers.size;
  }
  const byteOf = Array.from({ length: count }, (_, number) => classOf.indexOf(number));
  return { classOf, byteOf };
}
