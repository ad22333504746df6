import { randomBytes } from 'node:crypto';
import { components } from './path.ts';
import { pathBytes } from './pathname.ts';

/** The prime of the path hash, 2^61 - 1. */
export const hashPrime = (1n << 61n) - 1n;

/** The secret point at which the polynomials are evaluated; both in [2^60, p). */
export interface HashKey {
  /** For the bytes of a name. */
  name: bigint;
  /** For the names of a path. */
  path: bigint;
}

/** A new secret key. */
export function randomHashKey(): HashKey {
  return { name: randomPoint(), path: randomPoint() };
}

function randomPoint(): bigint {
  for (;;) {
    const point = (randomBytes(8).readBigUInt64LE() & ((1n << 60n) - 1n)) | (1n << 60n);
    if (point < hashPrime) return point;
  }
}

/**
 * Hash of one name: `h = length + 1`, then for each seven bytes, little endian, the last ones padded with zeros,
 * `h = (h * key.name + chunk) mod p`. bpf/hash.h computes the same.
 */
export function hashName(name: string, key: HashKey): bigint {
  const bytes = pathBytes(name);
  let h = BigInt(bytes.length + 1);
  for (let i = 0; i < bytes.length; i += 7) {
    const length = Math.min(7, bytes.length - i);
    const low = bytes.readUIntLE(i, Math.min(length, 6));
    let chunk = BigInt(low);
    if (length === 7) chunk |= BigInt(bytes[i + 6] ?? 0) << 48n;
    h = (h * key.name + chunk) % hashPrime;
  }
  return h;
}

/** Hashes paths under one key, each shared prefix once: `H("/") = 1`, `H(parent/name) = (H(parent) * key.path + hashName(name)) mod p`. */
export class PathHasher {
  readonly #key: HashKey;
  readonly #known = new Map<string, bigint>([['/', 1n]]);

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Hashes that are kept. */
  get size(): number {
    return this.#known.size;
  }

  /** Hash of an absolute path without trailing slash. */
  hash(path: string): bigint {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    // From the longest prefix already known downwards; a loop, because a path may have two thousand names.
    const names = components(path);
    const prefixes: string[] = [path];
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const prefix = path.slice(0, end);
      if (this.#known.has(prefix)) break;
      prefixes.push(prefix);
    }
    const start = names.length - prefixes.length;
    let hash = this.#known.get(start === 0 ? '/' : path.slice(0, (prefixes.at(-1) ?? '').lastIndexOf('/'))) ?? 1n;
    for (let i = start; i < names.length; i++) {
      hash = (hash * this.#key.path + hashName(names[i] ?? '', this.#key)) % hashPrime;
      this.#known.set(prefixes.pop() ?? path, hash);
    }
    return hash;
  }
}
