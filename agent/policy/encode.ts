import { createHash } from 'node:crypto';
import {
  category as categories,
  depths as depthMasks,
  key as keyKinds,
  ruleKey as keyLayout,
  limits,
  rule as ruleLayout,
  set as setLayout,
} from '../abi.gen.ts';
import { type HashKey, hashName, PathHasher } from './hash.ts';
import { depthOf } from './path.ts';
import type { EntryObject, RuleAutomaton, RuleEntry, RuleInfo, RuleSet } from './ruleset.ts';

/** A rule set as the kernel's maps take it. */
export interface EncodedRuleSet {
  /** One `struct picket_set`; its generation is 0, see finishSet. */
  set: Buffer;
  /** `struct picket_rule_key`, one after the other; as many as `values`. */
  keys: Buffer;
  /** `struct picket_rule`, one after the other. */
  values: Buffer;
  count: number;
  /**
   * What has to stand in the arena; in keys and values, 1 + the index here stands in the place of the arena's, see placeAutomata.
   */
  automata: readonly RuleAutomaton[];
  /** Bits of its Bloom filter (abi.h), a power of two of them, at least 512. */
  filter: Buffer;
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

/** Encodes a rule set; equal sets give equal bytes. `hasher` may be kept for further sets under the same key. Throws HashCollision. */
export function encode(ruleSet: RuleSet, key: HashKey, hasher = new PathHasher(key)): EncodedRuleSet {
  const hashed = ruleSet.entries.map((entry) => ({ entry, hash: hashOf(entry.object, key, hasher) }));
  hashed.sort(
    (a, b) =>
      a.entry.category - b.entry.category ||
      a.entry.source - b.entry.source ||
      (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0),
  );

  const keys = Buffer.alloc(hashed.length * keyLayout.size);
  const values = Buffer.alloc(hashed.length * ruleLayout.size);
  for (const [i, { entry, hash }] of hashed.entries()) {
    const before = hashed[i - 1];
    if (before?.hash === hash && before.entry.category === entry.category && before.entry.source === entry.source)
      throw new HashCollision(nameOf(before.entry), nameOf(entry));
    // 0 is kept for rules without an object.
    if (hash === 0n && entry.object.kind !== 'number') throw new HashCollision('', nameOf(entry));
    writeKey(keys, i * keyLayout.size, entry, hash);
    writeRule(values, i * ruleLayout.size, entry);
  }
  const set = encodeSet(ruleSet);
  const digest = createHash('sha256')
    .update(set)
    .update(keys)
    .update(values)
    .update(ruleSet.automata.map(({ digest, variant }) => `${digest} ${variant}`).join())
    .update(JSON.stringify(ruleSet.rules))
    .digest('hex');
  const { automata, rules } = ruleSet;
  const filter = filterOf(hashed.filter(({ entry }) => entry.object.kind === 'path').map(({ hash }) => hash));
  return { set, keys, values, count: hashed.length, automata, filter, rules, digest };
}

/** A bit in sixteen is set, or fewer. */
function filterOf(hashes: readonly bigint[]): Buffer {
  const bits = Math.max(512, 2 ** Math.ceil(Math.log2(16 * Math.max(1, hashes.length))));
  const filter = Buffer.alloc(Math.min(bits / 8, limits.FILTER_BYTES / 16));
  for (const hash of hashes) {
    const bit = filterBit(filter, hash);
    filter.writeUInt8(filter.readUInt8(bit >>> 3) | (1 << (bit & 7)), bit >>> 3);
  }
  return filter;
}

/** The bit of a filter that stands for a hash; hashes of similar names are similar. */
export function filterBit(filter: Buffer, hash: bigint): number {
  return Number(BigInt.asUintN(64, hash * 0x9e3779b97f4a7c15n) >> BigInt(shiftOf(filter)));
}

function shiftOf(filter: Buffer): number {
  return 64 - Math.log2(8 * filter.length);
}

function hashOf(object: EntryObject, key: HashKey, hasher: PathHasher): bigint {
  switch (object.kind) {
    case 'path':
      return hasher.hash(object.path);
    case 'name':
      return hashName(object.name, key);
    case 'number':
      return BigInt(object.number);
    case 'accept':
      return acceptHash(object.automaton + 1, object.accept);
  }
}

function acceptHash(place: number, accept: number): bigint {
  return (BigInt(place) << 16n) | BigInt(accept);
}

function nameOf({ object }: RuleEntry): string {
  return object.kind === 'path' ? object.path : JSON.stringify(object);
}

/** Writes the generation under which the set is put in force into its head, and where its filter stands, if anywhere. */
export function finishSet(encoded: EncodedRuleSet, generation: number, filterPlace = 0): Buffer {
  const set = Buffer.from(encoded.set);
  const { fields } = setLayout;
  set.writeUInt32LE(generation, fields.generation.offset);
  set.writeUInt32LE(filterPlace, fields.filter.offset);
  set.writeUInt32LE(shiftOf(encoded.filter), fields.filter_shift.offset);
  return set;
}

/** Keys and values with the places in the arena, by index of the automaton, written into them. */
export function placeAutomata({ keys, values, count }: EncodedRuleSet, places: readonly number[]): [Buffer, Buffer] {
  if (places.length === 0) return [keys, values];
  const [placedKeys, placedValues] = [Buffer.from(keys), Buffer.from(values)];
  const placeOf = (index: number): number => places[index - 1] ?? 0;
  for (let i = 0; i < count; i++) {
    const at = i * keyLayout.size;
    if ((keys.readUInt32LE(at + keyLayout.fields.category.offset) & 0xff & keyKinds.KEY_GLOB) !== 0) {
      const hash = keys.readBigUInt64LE(at + keyLayout.fields.hash.offset);
      const placed = acceptHash(placeOf(Number(hash >> 16n)), Number(hash & 0xffffn));
      placedKeys.writeBigUInt64LE(placed, at + keyLayout.fields.hash.offset);
    }
    const field = i * ruleLayout.size + ruleLayout.fields.automaton.offset;
    const index = values.readUInt32LE(field);
    if (index !== 0) placedValues.writeUInt32LE(placeOf(index), field);
  }
  return [placedKeys, placedValues];
}

/** By what a key is about: the mask of the depths that hold such keys. */
const masks: Partial<Record<number, number>> = {
  [categories.CATEGORY_PROCESS]: depthMasks.DEPTHS_PROCESS,
  [categories.CATEGORY_FILE]: depthMasks.DEPTHS_FILE,
  [categories.CATEGORY_DNS]: depthMasks.DEPTHS_DNS,
  [categories.CATEGORY_SYSCALL]: depthMasks.DEPTHS_SYSCALL,
  [keyKinds.KEY_SOURCE]: depthMasks.DEPTHS_SOURCE,
};

function encodeSet({ entries, flags, judged, presets, syscalls }: RuleSet): Buffer {
  const set = Buffer.alloc(setLayout.size);
  const { fields } = setLayout;
  const depths = new Array<bigint>(depthMasks.DEPTHS).fill(0n);
  for (const { object, category } of entries) {
    const mask = masks[category & 0xff];
    if (object.kind !== 'path' || mask === undefined) continue;
    depths[mask] = (depths[mask] ?? 0n) | (1n << BigInt(Math.min(depthOf(object.path), 63)));
  }
  for (const [i, says] of presets.entries()) set.writeUInt32LE(says, fields.presets.offset + 4 * i);
  set.writeUInt32LE(judged, fields.rules.offset);
  for (const [i, mask] of depths.entries()) set.writeBigUInt64LE(mask, fields.depths.offset + i * 8);
  set.writeUInt32LE(flags, fields.flags.offset);
  for (const number of syscalls) {
    const at = fields.syscalls.offset + (number >>> 3);
    set.writeUInt8(set.readUInt8(at) | (1 << (number & 7)), at);
  }
  return set;
}

function writeKey(keys: Buffer, at: number, { category, source }: RuleEntry, hash: bigint): void {
  keys.writeBigUInt64LE(hash, at + keyLayout.fields.hash.offset);
  keys.writeUInt32LE(category, at + keyLayout.fields.category.offset);
  keys.writeUInt32LE(source, at + keyLayout.fields.source.offset);
}

function writeRule(values: Buffer, at: number, entry: RuleEntry): void {
  const { fields } = ruleLayout;
  for (const part of ['exact', 'near', 'deep'] as const)
    for (const [kind, outcome] of entry[part].entries())
      values.writeUInt32LE(outcome, at + fields[part].offset + kind * 4);
  values.writeUInt32LE(entry.flags, at + fields.flags.offset);
  if (entry.automaton !== undefined) values.writeUInt32LE(entry.automaton + 1, at + fields.automaton.offset);
  values.writeUInt32LE(entry.list, at + fields.list.offset);
}
