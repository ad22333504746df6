import { ruleKey, rule as ruleLayout, workload as workloadLayout } from '../abi.gen.ts';
import type { Engine } from '../kernel/engine.ts';
import { createMap, mapTypes } from '../kernel/map.ts';
import { type EncodedRuleSet, setGeneration } from './encode.ts';
import type { RuleInfo } from './ruleset.ts';

/** A rule set in the kernel. */
interface Installed {
  index: number;
  digest: string;
  /** Workloads under it. */
  users: number;
}

/** How long the names of a rule set that went out of force are kept for alerts that are still on their way. */
const keepNamesMs = 60_000;

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);

/**
 * The rule sets in the kernel. A set is loaded beside those in force, under an index of its own; a workload changes to
 * it with one 8-byte store; the old one goes when nobody is under it and no program can still be reading it. Workloads
 * with equal rules share one set.
 */
export class RuleSetTable {
  readonly #engine: Engine;
  readonly #sets = new Map<string, Installed>();
  readonly #free: number[] = [];
  #next = 1; // 0 means: no rule set
  readonly #current = new Map<number, Installed>();
  readonly #names = new Map<string, { rules: readonly RuleInfo[]; until: number }>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get size(): number {
    return this.#sets.size;
  }

  /**
   * Loads the rules without putting them in force; a second call with equal rules finds them there.
   *
   * @throws KernelError when the kernel has no room; what was in force stays
   */
  install(encoded: EncodedRuleSet, generation: number): void {
    if (this.#sets.has(encoded.digest)) return;
    const index = this.#free.pop() ?? this.#next++;
    try {
      const flags = 0; // as in bpf/maps.h: the kernel compares
      using rules = createMap({
        name: `picket_set_${index}`,
        type: mapTypes.hash,
        keyBytes: ruleKey.size,
        valueBytes: ruleLayout.size,
        maxEntries: Math.max(1, encoded.count),
        flags,
      });
      rules.updateBatch(encoded.keys, encoded.values, encoded.count);
      this.#engine.map('picket_sets').update(u32(index), setGeneration(encoded, generation));
      this.#engine.map('picket_rules').updateInner(u32(index), rules);
    } catch (error) {
      this.#free.push(index);
      throw error;
    }
    this.#sets.set(encoded.digest, { index, digest: encoded.digest, users: 0 });
  }

  /** Puts an installed rule set in force on the workload in `slot`. From the next access on it is judged by it. */
  flip(slot: number, encoded: EncodedRuleSet, generation: number): void {
    const set = this.#sets.get(encoded.digest);
    if (set === undefined) throw new Error('a rule set is put in force before it is installed');
    const before = this.#current.get(slot);
    this.#names.set(`${set.index}:${generation}`, { rules: encoded.rules, until: Number.POSITIVE_INFINITY });
    set.users++;
    this.#current.set(slot, set);
    const { offset } = workloadLayout.fields.set;
    const previous = this.#engine.workloads.load(slot, offset);
    this.#engine.workloads.store(slot, offset, (BigInt(generation) << 32n) | BigInt(set.index));
    if (before !== undefined) this.#leave(before, Number(previous >> 32n));
  }

  /** The workload in `slot` is gone. */
  clear(slot: number): void {
    const before = this.#current.get(slot);
    if (before === undefined) return;
    this.#current.delete(slot);
    const generation = Number(this.#engine.workloads.load(slot, workloadLayout.fields.set.offset) >> 32n);
    this.#leave(before, generation);
  }

  /** Removes the rule sets that nobody is under. Waits until no program reads them any more (tens of milliseconds). */
  collect(): void {
    const unused = [...this.#sets.values()].filter((set) => set.users === 0);
    if (unused.length > 0) {
      const rules = this.#engine.map('picket_rules');
      // A change of a map of maps returns after every program that was running has ended (kernel: synchronize_rcu).
      using barrier = createMap({
        name: 'picket_barrier',
        type: mapTypes.hash,
        keyBytes: ruleKey.size,
        valueBytes: ruleLayout.size,
        maxEntries: 1,
        flags: 0,
      });
      rules.updateInner(u32(0), barrier);
      for (const { index, digest } of unused) {
        rules.delete(u32(index));
        this.#sets.delete(digest);
        this.#free.push(index);
      }
    }
    const now = performance.now();
    for (const [key, names] of this.#names) if (names.until < now) this.#names.delete(key);
  }

  /** The rules by which a verdict under this set and generation is named. */
  rulesOf(set: number, generation: number): readonly RuleInfo[] | undefined {
    return this.#names.get(`${set}:${generation}`)?.rules;
  }

  #leave(set: Installed, generation: number): void {
    set.users--;
    const shared = [...this.#current.entries()].some(
      ([slot, other]) =>
        other === set &&
        Number(this.#engine.workloads.load(slot, workloadLayout.fields.set.offset) >> 32n) === generation,
    );
    const names = this.#names.get(`${set.index}:${generation}`);
    if (!shared && names !== undefined) names.until = performance.now() + keepNamesMs;
  }
}
