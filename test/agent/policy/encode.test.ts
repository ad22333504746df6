import { describe, expect, it } from 'vitest';
import { compile } from '../../../agent/policy/compile.ts';
import { encode, filterBit, finishSet, HashCollision } from '../../../agent/policy/encode.ts';
import { randomHashKey } from '../../../agent/policy/hash.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { type RuleEntry, type RuleSet, ruleInfo } from '../../../agent/policy/ruleset.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { resolveSpellings } from '../../../agent/policy/spelling.ts';
import { noOutcomes } from '../../../agent/policy/verdict.ts';
import { accepted, ksp, workload } from './objects.ts';

const key = { name: 2n ** 60n + 3n, path: 2n ** 60n + 7n };
const entry = (path: string | undefined, category = 1): RuleEntry => ({
  object: path === undefined ? { kind: 'number', number: 0 } : { kind: 'path', path },
  category,
  source: 0,
  exact: noOutcomes,
  near: noOutcomes,
  deep: noOutcomes,
  flags: 0,
  list: 0,
});
const ruleSet = (entries: RuleSet['entries'], rest: Partial<RuleSet> = {}): RuleSet => ({
  flags: 0,
  judged: 0,
  automata: [],
  rules: [],
  presets: new Array(5).fill(0x3fffffff),
  syscalls: [],
  policies: [],
  diagnostics: [],
  ...rest,
  entries,
});

describe('encode()', () => {
  it('writes keys and values side by side, sorted, little endian', () => {
    const { keys, values, count } = encode(
      ruleSet([{ ...entry('/', 5 | (87 << 8)), exact: [1, 2, 3, 4, 5, 6, 7, 8], flags: 6 }, entry('/')]),
      key,
    );
    expect(count).toBe(2);
    expect(keys.toString('hex')).toBe(
      `0100000000000000${'01000000'}00000000` + `0100000000000000${'05570000'}00000000`,
    );
    expect(values.subarray(0, 112).toString('hex')).toBe(`${'ffffff3f'.repeat(24)}${'00'.repeat(16)}`);
    expect(values.subarray(112, 120).toString('hex')).toBe('0100000002000000');
    expect(values.subarray(208).toString('hex')).toBe(`06${'00'.repeat(15)}`);
  });

  it('writes the depths of each category, the flags and the system calls', () => {
    const deep = '/x'.repeat(100);
    const { set } = encode(
      ruleSet(
        [
          entry('/a', 0),
          entry('/a/b', 1),
          entry('/'),
          entry(deep, 1),
          entry('/c/d/e', 5 | (87 << 8)),
          entry(undefined, 5 | (263 << 8)),
        ],
        { flags: 0x102, judged: 0b100011, syscalls: [0, 87, 263, 511] },
      ),
      key,
    );
    expect([0, 8, 16].map((at) => set.readBigUInt64LE(at))).toEqual([2n, (1n << 63n) | 4n | 1n, 8n]);
    expect(set.readUInt32LE(40)).toBe(0x102);
    expect(set.readUInt32LE(48)).toBe(0b100011);
    const bits = [...new Array(512).keys()].filter(
      (n) => set.readBigUInt64LE(72 + (n >>> 6) * 8) & (1n << BigInt(n & 63)),
    );
    expect(bits).toEqual([0, 87, 263, 511]);
  });

  it('leaves the generation to finishSet(), which leaves the original alone', () => {
    const encoded = encode(ruleSet([entry('/a')]), key);
    const set = finishSet(encoded, 7, 128);
    expect([set.readUInt32LE(44), set.readUInt32LE(136), set.readUInt32LE(140)]).toEqual([7, 128, 55]);
    expect(encoded.set.readUInt32LE(44)).toBe(0);
  });

  it('gives sets a filter with at most one bit in sixteen set, and that of each path', () => {
    for (const [paths, bytes] of [
      [0, 64],
      [1, 64],
      [32, 64],
      [33, 128],
      [1000, 2048],
    ] as const) {
      const entries = Array.from({ length: paths }, (_, i) => entry(`/a/${i}`));
      const { filter, keys } = encode(ruleSet(entries), key);
      const bits = [...filter].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
      expect([filter.length, bits >= paths * 0.9, bits <= paths]).toEqual([bytes, true, true]);
      for (let at = 0; at < keys.length; at += 16) {
        const bit = filterBit(filter, keys.readBigUInt64LE(at));
        expect((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))).not.toBe(0);
      }
    }
  });

  it('gives equal sets equal bytes and digests, and others other ones', () => {
    const one = encode(ruleSet([entry('/a'), entry('/b')]), key);
    expect(encode(ruleSet([entry('/b'), entry('/a')]), key)).toEqual(one);
    const others = [
      ruleSet([entry('/a'), entry('/c')]),
      ruleSet([entry('/a'), entry('/b', 0)]),
      ruleSet([entry('/a'), entry('/b')], { flags: 1 }),
      ruleSet([entry('/a'), entry('/b')], { syscalls: [87] }),
      ruleSet([entry('/a'), { ...entry('/b'), flags: 1 }]),
      ruleSet([entry('/a'), entry('/b')], {
        rules: accepted(ksp({ file: { matchPaths: [{ path: '/a' }] } })).rules.map((rule) =>
          ruleInfo(rule, rule.policy),
        ),
      }),
    ];
    expect(new Set([one, ...others.map((other) => encode(other, key))].map(({ digest }) => digest)).size).toBe(7);
    expect(encode(ruleSet([entry('/a'), entry('/b')]), { ...key, path: key.path + 1n }).digest).not.toBe(one.digest);
  });

  it('throws on two paths with one hash, and on a path that hashes to the value kept for none', () => {
    // A key that no random draw gives: only the last seven bytes of the last name count.
    const weak = { name: 0n, path: 0n };
    expect(() => encode(ruleSet([entry('/x/a'), entry('/y/a')]), weak)).toThrow(HashCollision);
    expect(() => encode(ruleSet([entry('/x/a', 0), entry('/y/a', 1)]), weak)).not.toThrow();
    expect(() => encode(ruleSet([entry('/abcdefg\0')]), weak)).toThrow(HashCollision);
  });

  it('takes 10,000 rules from object to bytes in a second of processor time each', () => {
    const matchPaths = [...new Array(10_000).keys()].map((i) => ({ path: `/opt/many/sub-${i % 100}/file-${i}` }));
    let before = process.cpuUsage();
    const lap = () => {
      const { user, system } = process.cpuUsage(before);
      before = process.cpuUsage();
      return Math.round((user + system) / 1000);
    };
    const { policy } = parsePolicyObject(ksp({ file: { matchPaths } }));
    if (!policy) throw new Error('refused');
    const read = lap();
    const { spellings } = resolveSpellings([policy], () => ({ kind: 'other' }));
    const compiled = compile([policy], workload(), defaultSettings, spellings);
    const compileMs = lap();
    const { count } = encode(compiled, randomHashKey());
    const encodeMs = lap();
    console.log(`10,000 rules, ms of processor time: read ${read}, compile ${compileMs}, encode ${encodeMs}`);
    expect(count).toBe(10_000);
    expect(Math.max(read, compileMs, encodeMs)).toBeLessThan(1000);
  });
});
