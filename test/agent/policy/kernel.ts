import type { EncodedRuleSet } from '../../../agent/policy/encode.ts';
import type { HashKey } from '../../../agent/policy/hash.ts';
import { pathBytes } from '../../../agent/policy/pathname.ts';
import type { Access, Decision } from './reference.ts';
import { slowHash } from './slow-hash.ts';

/*
 * What bpf/judge.h does with a loaded rule set, over the encoded bytes: offsets, sizes and flags as in bpf/abi.h,
 * written out once more.
 */

const none = 0x3fffffff;
const posture = 0x3ffffffe;
const syscallNumbers: Record<string, number> = { rmdir: 84, unlink: 87, unlinkat: 263 };

interface Rule {
  exact: number;
  near: number;
  deep: number;
  flags: number;
}

export class KernelRuleSet {
  readonly #rules = new Map<string, number>();
  readonly #encoded: EncodedRuleSet;
  readonly #key: HashKey;

  constructor(encoded: EncodedRuleSet, key: HashKey) {
    this.#encoded = encoded;
    this.#key = key;
    if (
      encoded.keys.length !== encoded.count * 16 ||
      encoded.values.length !== encoded.count * 112 ||
      encoded.set.length !== 136
    )
      throw new Error('sizes');
    for (let i = 0; i < encoded.count; i++) {
      const at = i * 16;
      if (encoded.keys.readUInt32LE(at + 12) !== 0) throw new Error('source');
      this.#rules.set(`${encoded.keys.readBigUInt64LE(at)} ${encoded.keys.readUInt32LE(at + 8)}`, i * 112);
    }
    if (this.#rules.size !== encoded.count) throw new Error('a key twice');
  }

  decide(access: Access): Decision {
    const { set, rules } = this.#encoded;
    const flags = set.readUInt32LE(40);
    if (flags & 0x20000) return { verdict: 'pass' };
    const category = { process: 0, file: 1, syscalls: 5 }[access.category];
    const kind = (access.change ? 1 : 0) | (access.owner ? 0 : 2) | (access.terminal ? 4 : 0);
    let keyCategory = category;
    if (access.syscall !== undefined) {
      const number = syscallNumbers[access.syscall] ?? 0;
      if ((set.readBigUInt64LE(72 + (number >>> 6) * 8) & (1n << BigInt(number & 63))) === 0n)
        return { verdict: 'pass' };
      keyCategory = 5 | (number << 8);
    }
    let { outcome, baseline } = this.#walk(access.path, category, keyCategory, kind);
    if (outcome === none && access.syscall !== undefined) outcome = this.#rule(0n, keyCategory, kind)?.exact ?? none;

    if (outcome === none) {
      if (!(flags & (1 << category))) return { verdict: 'pass' };
      if (category === 1 && baseline & (access.change ? 2 : 1)) return { verdict: 'pass' };
    }
    if (outcome === none || outcome >>> 30 === 0) {
      if (outcome !== none && (outcome & none) !== posture) throw new Error('not allowed names a rule');
      outcome = ((flags & (256 << category) ? 2 : 3) << 30) | posture;
    }
    const number = outcome & none;
    const info = rules[number];
    const by = number === posture ? 'DefaultPosture' : `${info?.policy} ${info?.path}`;
    switch (outcome >>> 30) {
      case 3:
        return { verdict: flags & 0x10000 ? 'alert' : 'deny', by };
      case 2:
        return { verdict: 'alert', by };
      default:
        return { verdict: 'pass' };
    }
  }

  #walk(path: string, category: number, keyCategory: number, kind: number): { outcome: number; baseline: number } {
    const depths = this.#encoded.set.readBigUInt64LE((category === 5 ? 2 : category) * 8);
    const names = path === '/' ? [] : path.slice(1).split('/');
    let outcome = none;
    let baseline = 0;
    for (let depth = 0; depth <= names.length; depth++) {
      if ((depths & (1n << BigInt(Math.min(depth, 63)))) === 0n) continue;
      const prefix = `/${names.slice(0, depth).join('/')}`;
      const rule = this.#rule(slowHash(pathBytes(prefix), this.#key.name, this.#key.path), keyCategory, kind);
      if (!rule) continue;
      const distance = names.length - depth;
      if (rule.flags & 2 && distance > 0) baseline |= 1;
      if (distance === 0 && rule.flags & 1) baseline |= rule.flags & 4 ? 3 : 1;
      if (distance === 0 && rule.exact !== none) outcome = rule.exact;
      else {
        const found = distance <= 1 ? rule.near : rule.deep;
        if (found !== none) outcome = found;
      }
    }
    return { outcome, baseline };
  }

  #rule(hash: bigint, category: number, kind: number): Rule | undefined {
    const at = this.#rules.get(`${hash} ${category}`);
    if (at === undefined) return undefined;
    const { values } = this.#encoded;
    return {
      exact: values.readUInt32LE(at + kind * 4),
      near: values.readUInt32LE(at + 32 + kind * 4),
      deep: values.readUInt32LE(at + 64 + kind * 4),
      flags: values.readUInt32LE(at + 96),
    };
  }
}
