import { createHash } from 'node:crypto';
import {
  category as categories,
  depths as depthMasks,
  ruleKey as keyLayout,
  outcome,
  preset as presets,
  rule as ruleLayout,
  set as setLayout,
} from '../abi.gen.ts';
import { type HashKey, PathHasher } from './hash.ts';
import { depthOf } from './path.ts';
import type { RuleEntry, RuleInfo, RuleSet } from './ruleset.ts';

/** A rule set as the kernel's maps take it. */
export interface EncodedRuleSet {
  /** One `struct picket_set`; its generation is 0, see setGeneration. */
  set: Buffer;
  /** `struct picket_rule_key`, one after the other; as many as `values`. */
  keys: Buffer;
  /** `struct picket_rule`, one after the other. */
  values: Buffer;
  count: number;
  /** By the rule number of an outcome. */
  rules: readonly RuleInfo[];
  /** Equal for rule sets that are equal in every byte and every rule, under one hash key. */
  digest: string;
}

/** Two paths have one hash under this key: encode again under another. */
export class HashCollision extends Error {
  readonly code = 'HashCollision';
  readonly paths: readonly [string, string];

  constructor(first: string, second: string) {
    super(`two rule paths have the same hash: ${first} and ${second}`);
    this.paths = [first, second];
  }
}

/** Encodes a rule set; equal sets give equal bytes. Throws HashCollision. */
export function encode(ruleSet: RuleSet, key: HashKey): EncodedRuleSet {
  const hasher = new PathHasher(key);
  const hashed = ruleSet.entries.map((entry) => ({
    entry,
    hash: entry.path === undefined ? 0n : hasher.hash(entry.path),
  }));
  hashed.sort((a, b) => a.entry.category - b.entry.category || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));

  const keys = Buffer.alloc(hashed.length * keyLayout.size);
  const values = Buffer.alloc(hashed.length * ruleLayout.size);
  for (const [i, { entry, hash }] of hashed.entries()) {
    const before = hashed[i - 1];
    if (before?.hash === hash && before.entry.category === entry.category)
      throw new HashCollision(before.entry.path ?? '', entry.path ?? '');
    // 0 is kept for rules without a path.
    if (hash === 0n && entry.path !== undefined) throw new HashCollision('', entry.path);
    writeKey(keys, i * keyLayout.size, entry, hash);
    writeRule(values, i * ruleLayout.size, entry);
  }
  const set = encodeSet(ruleSet);
  const digest = createHash('sha256')
    .update(set)
    .update(keys)
    .update(values)
    .update(JSON.stringify(ruleSet.rules))
    .digest('hex');
  return { set, keys, values, count: hashed.length, rules: ruleSet.rules, digest };
}

/** Writes the generation under which the set is put in force into its head. */
export function setGeneration(encoded: EncodedRuleSet, generation: number): Buffer {
  const set = Buffer.from(encoded.set);
  set.writeUInt32LE(generation, setLayout.fields.generation.offset);
  return set;
}

/** By category: the mask of the depths that hold its keys. */
const masks: Partial<Record<number, number>> = {
  [categories.CATEGORY_PROCESS]: depthMasks.DEPTHS_PROCESS,
  [categories.CATEGORY_FILE]: depthMasks.DEPTHS_FILE,
  [categories.CATEGORY_SYSCALL]: depthMasks.DEPTHS_SYSCALL,
};

function encodeSet({ entries, flags, syscalls }: RuleSet): Buffer {
  const set = Buffer.alloc(setLayout.size);
  const { fields } = setLayout;
  const depths = new Array<bigint>(depthMasks.DEPTHS).fill(0n);
  let judged = flags & 0xff; // an allow-list is asked even when no rule is left in it
  for (const { path, category } of entries) {
    judged |= 1 << (category & 0xff);
    const mask = masks[category & 0xff];
    if (path === undefined || mask === undefined) continue;
    depths[mask] = (depths[mask] ?? 0n) | (1n << BigInt(Math.min(depthOf(path), 63)));
  }
  set.writeUInt32LE(judged, fields.rules.offset);
  for (let i = 0; i < presets.PRESETS; i++) set.writeUInt32LE(outcome.OUTCOME_NONE, fields.presets.offset + 4 * i);
  for (const [i, mask] of depths.entries()) set.writeBigUInt64LE(mask, fields.depths.offset + i * 8);
  set.writeUInt32LE(flags, fields.flags.offset);
  for (const number of syscalls) {
    const at = fields.syscalls.offset + (number >>> 3);
    set.writeUInt8(set.readUInt8(at) | (1 << (number & 7)), at);
  }
  return set;
}

function writeKey(keys: Buffer, at: number, { category }: RuleEntry, hash: bigint): void {
  keys.writeBigUInt64LE(hash, at + keyLayout.fields.hash.offset);
  keys.writeUInt32LE(category, at + keyLayout.fields.category.offset);
}

function writeRule(values: Buffer, at: number, entry: RuleEntry): void {
  const { fields } = ruleLayout;
  for (const part of ['exact', 'near', 'deep'] as const)
    for (const [kind, outcome] of entry[part].entries())
      values.writeUInt32LE(outcome, at + fields[part].offset + kind * 4);
  values.writeUInt32LE(entry.flags, at + fields.flags.offset);
}
