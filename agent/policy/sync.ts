import { ruleKey, rule as ruleLayout, workload as workloadLayout } from '../abi.gen.ts';
import type { Engine } from '../kernel/engine.ts';
import { createMap, mapTypes } from '../kernel/map.ts';
import { type EncodedRuleSet, setGeneration } from './encode.ts';
import type { RuleSet } from './ruleset.ts';

/** A rule set in the kernel. */
interface Installed {
  index: number;
  digest: string;
  /** Workloads under it. */
  users: number;
}

/** A rule set under one generation, by which verdicts are named. */
interface Named {
  ruleSet: RuleSet;
  /** Workloads under this very generation of it. */
  users: number;
  /** When it is forgotten, in milliseconds of `performance.now()`. */
  until: number;
}

interface InForce {
  set: Installed;
  named: Named;
}

/** How long a rule set that went out of force is kept for alerts that are still on their way. */
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
  /** By slot of the workload. */
  readonly #current = new Map<number, InForce>();
  readonly #named = new Map<string, Named>();

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

  /**
   * Puts an installed rule set in force on the workload in `slot`: `ruleSet`, encoded as `encoded`. From the next access on
   * it is judged by it.
   */
  flip(slot: number, ruleSet: RuleSet, encoded: EncodedRuleSet, generation: number): void {
    const set = this.#sets.get(encoded.digest);
    if (set === undefined) throw new Error('a rule set is put in force before it is installed');
    const before = this.#current.get(slot);
    const key = `${set.index}:${generation}`;
    const named = this.#named.get(key) ?? { ruleSet, users: 0, until: Number.POSITIVE_INFINITY };
    this.#named.set(key, named);
    named.users++;
    set.users++;
    this.#current.set(slot, { set, named });
    const { offset } = workloadLayout.fields.set;
    this.#engine.workloads.store(slot, offset, (BigInt(generation) << 32n) | BigInt(set.index));
    if (before !== undefined) leave(before);
  }

  /** The workload in `slot` is gone. */
  clear(slot: number): void {
    const before = this.#current.get(slot);
    if (before === undefined) return;
    this.#current.delete(slot);
    leave(before);
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
    for (const [key, named] of this.#named) if (named.until < now) this.#named.delete(key);
  }

  /** The rule set that gave a verdict; undefined: it went out of force more than a minute ago. */
  find(set: number, generation: number): RuleSet | undefined {
    return this.#named.get(`${set}:${generation}`)?.ruleSet;
  }
}

function leave({ set, named }: InForce): void {
  set.users--;
  if (--named.users === 0) named.until = performance.now() + keepNamesMs;
}
