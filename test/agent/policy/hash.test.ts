import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashName, hashPrime, PathHasher, randomHashKey } from '../../../agent/policy/hash.ts';
import { pathBytes, pathFromBytes } from '../../../agent/policy/pathname.ts';
import { propertySeed } from './seed.ts';
import { slowHash } from './slow-hash.ts';

const key = { name: 2n ** 60n + 12345n, path: 2n ** 60n + 67890n };
const seed = propertySeed('hash');

describe('hashName()', () => {
  it.each<[string, bigint]>([
    ['', 1n],
    ['a', (2n * key.name + 0x61n) % hashPrime],
    ['abcdefg', (8n * key.name + 0x67666564636261n) % hashPrime],
    ['abcdefgh', (((9n * key.name + 0x67666564636261n) % hashPrime) * key.name + 0x68n) % hashPrime],
    ['ä', (3n * key.name + 0xa4c3n) % hashPrime],
  ])('%j', (name, expected) => expect(hashName(name, key)).toBe(expected));
});

describe('PathHasher', () => {
  it('begins with 1 for the root', () => {
    expect(new PathHasher(key).hash('/')).toBe(1n);
    expect(new PathHasher(key).hash('/a')).toBe((key.path + hashName('a', key)) % hashPrime);
  });

  it('agrees with the definition on random paths, in any order', () => {
    const name = fc
      .oneof(
        fc.constantFrom('a', 'b', 'usr', 'seven77', 'eight888'),
        fc.string({ minLength: 1, unit: 'grapheme', maxLength: 30 }),
      )
      .filter((text) => !/[/\0]/.test(text));
    const path = fc.array(name, { maxLength: 6 }).map((names) => `/${names.join('/')}`);
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 20 }), (paths) => {
        const random = randomHashKey();
        const hasher = new PathHasher(random);
        for (const one of paths) expect(hasher.hash(one)).toBe(slowHash(Buffer.from(one), random.name, random.path));
      }),
      { seed },
    );
  });

  it('hashes a path of two thousand names', () => {
    const path = '/a'.repeat(2047);
    expect(new PathHasher(key).hash(path)).toBe(slowHash(Buffer.from(path), key.name, key.path));
  });

  it('hashes bytes that are no UTF-8', () => {
    const bytes = Buffer.from([0x2f, 0x61, 0xff, 0xc3, 0x2f, 0xe2, 0x82]);
    expect(new PathHasher(key).hash(pathFromBytes(bytes))).toBe(slowHash(bytes, key.name, key.path));
  });
});

describe('randomHashKey()', () => {
  it('draws both numbers from [2^60, p), differently each time', () => {
    const keys = Array.from({ length: 50 }, randomHashKey).flatMap(({ name, path }) => [name, path]);
    for (const number of keys) {
      expect(number).toBeGreaterThanOrEqual(2n ** 60n);
      expect(number).toBeLessThan(hashPrime);
    }
    expect(new Set(keys).size).toBe(100);
  });
});

describe('pathFromBytes() and pathBytes()', () => {
  it('lose nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(pathBytes(pathFromBytes(bytes)).equals(bytes)).toBe(true);
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('leave valid UTF-8 as it is', () => {
    expect(pathFromBytes(Buffer.from('/ä/😀'))).toBe('/ä/😀');
  });
});
