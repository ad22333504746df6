import { type EncodedRuleSet, filterBit, placeAutomata } from '../../../agent/policy/encode.ts';
import { matchTail } from '../../../agent/policy/glob/match.ts';
import type { HashKey } from '../../../agent/policy/hash.ts';
import { pathBytes } from '../../../agent/policy/pathname.ts';
import type { Access, Decision } from './reference.ts';
import { slowHash, slowName } from './slow-hash.ts';

/*
 * What bpf/judge.h and bpf/source.h do with a loaded rule set, over the encoded bytes: offsets, sizes and flags as in
 * bpf/abi.h, written out once more.
 */

const none = 0x3fffffff;
const posture = 0x3ffffffe;
const syscallNumbers: Record<string, number> = { rmdir: 84, unlink: 87, unlinkat: 263 };
const categories = { process: 0, file: 1, syscalls: 5 };
const depthMasks: Record<number, number> = { 0: 0, 1: 1, 5: 2 };
const [keyExecname, keySource, keyArgument, keyGlob] = [16, 17, 18, 32];
const kinds = { any: 0, directory: 1, glob: 2, name: 3, exact: 4 };
/** Where the automata of this rule set stand in the arena: anywhere, but not at 0. */
const placeOf = (index: number) => 64 * (index + 7);

interface Rule {
  exact: number;
  near: number;
  deep: number;
  flags: number;
  automaton: number;
  list: number;
}

/** The search for the rule that decides: struct judge_search. */
interface Search {
  /** Whether an argument is not in a list. */
  unlisted: (list: number) => boolean;
  sources: number[];
  outcome: number;
  rank: number;
  kind: number;
  baseline: number;
}

export class KernelRuleSet {
  readonly #rules = new Map<string, number>();
  readonly #encoded: EncodedRuleSet;
  readonly #key: HashKey;
  readonly #values: Buffer;
  readonly #arena: ReadonlyMap<number, Buffer>;

  constructor(encoded: EncodedRuleSet, key: HashKey) {
    this.#encoded = encoded;
    this.#key = key;
    if (
      encoded.keys.length !== encoded.count * 16 ||
      encoded.values.length !== encoded.count * 112 ||
      encoded.set.length !== 144
    )
      throw new Error('sizes');
    const places = encoded.automata.map((_, i) => placeOf(i));
    this.#arena = new Map(encoded.automata.map(({ bytes }, i) => [placeOf(i), bytes]));
    const [keys, values] = placeAutomata(encoded, places);
    this.#values = values;
    for (let i = 0; i < encoded.count; i++) {
      const at = i * 16;
      this.#rules.set(
        `${keys.readBigUInt64LE(at)} ${keys.readUInt32LE(at + 8)} ${keys.readUInt32LE(at + 12)}`,
        i * 112,
      );
    }
    if (this.#rules.size !== encoded.count) throw new Error('a key twice');
  }

  decide(access: Access): Decision {
    const { set, rules } = this.#encoded;
    const flags = set.readUInt32LE(40);
    if (flags & 0x20000) return { verdict: 'pass' };
    const category = categories[access.category];
    if (!(set.readUInt32LE(48) & (1 << category))) return { verdict: 'pass' };
    const kind = (access.change ? 1 : 0) | (access.owner ? 0 : 2) | (access.terminal ? 4 : 0);
    let keyCategory = category;
    if (access.syscall !== undefined) {
      const number = syscallNumbers[access.syscall] ?? 0;
      if ((set.readBigUInt64LE(72 + (number >>> 6) * 8) & (1n << BigInt(number & 63))) === 0n)
        return { verdict: 'pass' };
      keyCategory = 5 | (number << 8);
    }
    const sources = flags & (0x1000000 << category) ? this.#sources(access.source) : [];
    const unlisted = (list: number) => !(access.args?.every((argument) => this.#isListed(argument, list)) ?? false);
    const search: Search = { unlisted, sources, outcome: none, rank: 0xffffffff, kind: kinds.any, baseline: 0 };
    this.#walk(search, access.path, category, keyCategory, kind);
    if (access.syscall !== undefined) this.#object(search, 0n, keyCategory, kinds.any, kind);
    const name = access.path.slice(access.path.lastIndexOf('/') + 1);
    if (category === 0 && flags & 0x40000 && name !== '')
      this.#object(search, slowName(pathBytes(name), this.#key.name), keyExecname, kinds.name, kind);

    let { outcome } = search;
    if (outcome === none) {
      if (!(flags & (1 << category))) return { verdict: 'pass' };
      if (category === 1 && search.baseline & (access.change ? (access.write ? 2 : 0) : 1)) return { verdict: 'pass' };
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

  /** source__find */
  #sources(program: string): number[] {
    const found: number[] = [];
    for (const { hash, distance } of this.#levels(program, 3).reverse()) {
      const rule = this.#rule(hash, keySource, 0, 0);
      const number = rule && (distance === 0 ? rule.exact : distance === 1 ? rule.near : rule.deep);
      if (number) found.push(number);
    }
    if (found.length > 16) throw new Error('more sources than a task has room for');
    return found;
  }

  /** The path and the directories above it at depths where there are keys, from the root down. */
  #levels(path: string, mask: number): { hash: bigint; distance: number }[] {
    const depths = this.#encoded.set.readBigUInt64LE(mask * 8);
    const names = path === '/' ? [] : path.slice(1).split('/');
    return [...names.keys(), names.length]
      .filter((depth) => depths & (1n << BigInt(Math.min(depth, 63))))
      .map((depth) => {
        const prefix = pathBytes(`/${names.slice(0, depth).join('/')}`);
        return { hash: slowHash(prefix, this.#key.name, this.#key.path), distance: names.length - depth };
      });
  }

  /** judge__path */
  #walk(search: Search, path: string, category: number, keyCategory: number, kind: number): void {
    const { filter } = this.#encoded;
    for (const { hash, distance } of this.#levels(path, depthMasks[category] ?? -1)) {
      const bit = filterBit(filter, hash);
      if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) continue;
      const rule = this.#rule(hash, keyCategory, 0, kind);
      if (!rule) continue;
      if (rule.flags & 2 && distance > 0) search.baseline |= 1;
      if (distance === 0 && rule.flags & 1) search.baseline |= rule.flags & 4 ? 3 : 1;
      const offerBoth = (each: Rule, rank: number) => {
        offer(search, rank, kinds.directory, distance <= 1 ? each.near : each.deep);
        if (distance !== 0) return;
        offer(search, rank, kinds.exact, each.exact);
        this.#parts(search, hash, keyCategory, { rank, kind: kinds.exact, flags: each.flags }, kind);
      };
      this.#globs(search, rule.automaton, tailOf(path, distance), keyCategory, kind);
      offerBoth(rule, search.sources.length);
      if (!(rule.flags & 8)) continue;
      for (const [rank, source] of search.sources.entries()) {
        const own = this.#rule(hash, keyCategory, source, kind);
        if (own) offerBoth(own, rank);
      }
    }
  }

  /** judge__look_up_object */
  #object(search: Search, hash: bigint, keyCategory: number, rankKind: number, kind: number): void {
    const rule = this.#rule(hash, keyCategory, 0, kind);
    if (!rule) return;
    const offerBoth = (each: Rule, rank: number) => {
      offer(search, rank, rankKind, each.exact);
      this.#parts(search, hash, keyCategory, { rank, kind: rankKind, flags: each.flags }, kind);
    };
    offerBoth(rule, search.sources.length);
    if (!(rule.flags & 8)) return;
    for (const [rank, source] of search.sources.entries()) {
      const own = this.#rule(hash, keyCategory, source, kind);
      if (own) offerBoth(own, rank);
    }
  }

  /** The rules with a list of arguments that stand beside those of a key, until there is no further part. */
  #parts(
    search: Search,
    hash: bigint,
    keyCategory: number,
    base: { rank: number; kind: number; flags: number },
    kind: number,
  ): void {
    if (!(base.flags & 16)) return;
    const source = search.sources[base.rank] ?? 0;
    for (let part = 1; ; part++) {
      const listed = this.#rule(hash, keyCategory | (part << 8), source, kind);
      if (!listed) return;
      const own = search.unlisted(listed.list) ? this.#rule(hash, keyCategory | (part << 8), source, kind | 1) : listed;
      offer(search, base.rank, base.kind, own?.exact ?? none);
    }
  }

  #isListed(argument: string, list: number): boolean {
    return this.#rule(slowName(pathBytes(argument), this.#key.name), keyArgument, list, 0) !== undefined;
  }

  /** judge__level: the automaton of a directory reads what stands behind it. */
  #globs(search: Search, place: number, tail: string | undefined, keyCategory: number, kind: number): void {
    if (place === 0 || tail === undefined) return;
    const automaton = this.#arena.get(place);
    if (!automaton) throw new Error(`nothing stands at ${place}`);
    for (const accept of matchTail(automaton, pathBytes(tail)))
      this.#object(search, (BigInt(place) << 16n) | BigInt(accept), keyCategory | keyGlob, kinds.glob, kind);
  }

  #rule(hash: bigint, category: number, source: number, kind: number): Rule | undefined {
    const at = this.#rules.get(`${hash} ${category} ${source}`);
    if (at === undefined) return undefined;
    const values = this.#values;
    return {
      exact: values.readUInt32LE(at + kind * 4),
      near: values.readUInt32LE(at + 32 + kind * 4),
      deep: values.readUInt32LE(at + 64 + kind * 4),
      flags: values.readUInt32LE(at + 96),
      automaton: values.readUInt32LE(at + 100),
      list: values.readUInt32LE(at + 104),
    };
  }
}

/** The last `distance` names of a path; undefined: the directory itself is no object of its patterns, unless it is the root. */
function tailOf(path: string, distance: number): string | undefined {
  if (distance === 0) return path === '/' ? '' : undefined;
  return path.split('/').slice(-distance).join('/');
}

/** judge__offer */
function offer(search: Search, rank: number, kind: number, outcome: number): void {
  if (outcome === none || rank > search.rank) return;
  if (rank === search.rank) {
    if (kind < search.kind) return;
    if (kind === search.kind && kind !== kinds.directory) {
      const [verdict, before] = [outcome >>> 30, search.outcome >>> 30];
      if (verdict < before || (verdict === before && outcome >= search.outcome)) return;
    }
  }
  Object.assign(search, { rank, kind, outcome });
}
