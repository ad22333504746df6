import { limits, ruleKey, rule as ruleLayout, set as setLayout, workload as workloadLayout } from '../abi.gen.ts';
import type { Engine } from '../kernel/engine.ts';
import { KernelError } from '../kernel/error.ts';
import { createMap, mapTypes } from '../kernel/map.ts';
import type { SavedRuleSet } from '../state/saved.ts';
import { type EncodedRuleSet, finishSet, placeAutomata } from './encode.ts';
import { FilterTable } from './filter.ts';
import { namesOf } from './lookup.ts';
import type { RuleAutomaton, RuleNames, RuleSet } from './ruleset.ts';

/** A rule set in the kernel. */
interface Installed {
  index: number;
  /** Of an earlier agent's set that nothing is known of: one that no set has. */
  digest: string;
  /** Generation under which it was loaded. */
  since: number;
  names: RuleNames | undefined;
  /** Of its automata in the arena. */
  places: readonly number[];
  /** Place of its filter; 0: it has none. */
  filter: number;
  /** Workloads under it. */
  users: number;
  /** When its names are forgotten, in milliseconds of `performance.now()`; it left the kernel a minute before. */
  until: number;
}

/** How long the names of a rule set that went out of force are kept for alerts that are still on their way. */
const keepNamesMs = 60_000;

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const { set: setField, id: idField } = workloadLayout.fields;

/**
 * The rule sets in the kernel. A set is loaded beside those in force, under an index of its own; a workload changes to
 * it with one 8-byte store; the old one goes when nobody is under it and no program can still be reading it. Workloads
 * with equal rules share one set.
 */
export class RuleSetTable {
  readonly #engine: Engine;
  readonly #filters: FilterTable;
  readonly #sets = new Map<string, Installed>();
  readonly #free: number[] = [];
  #next = 1; // 0 means: no rule set
  /** By slot of the workload. */
  readonly #current = new Map<number, Installed>();
  /** By index: the set that has it now, and those that had it before and can still be named. */
  readonly #named = new Map<number, Installed[]>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#filters = new FilterTable(engine.filters);
  }

  get size(): number {
    return this.#sets.size;
  }

  /** What has to be on the disk about each set, so that the next agent can name its verdicts. */
  get saved(): SavedRuleSet[] {
    return [...this.#named.values()].flat().flatMap((set) => this.#toSaved(set) ?? []);
  }

  /**
   * Takes over the sets that an earlier agent left in the kernel: those that the disk knows, with their names, and those
   * that it does not know as long as a workload is under them.
   */
  adopt(saved: readonly SavedRuleSet[]): void {
    const slots = new Map<number, number>();
    for (let slot = 1; slot < limits.MAX_WORKLOADS; slot++) {
      const index = Number(BigInt.asUintN(32, this.#engine.workloads.load(slot, setField.offset)));
      if (index !== 0 && this.#engine.workloads.load(slot, idField.offset) !== 0n) slots.set(slot, index);
    }
    const used = new Set(slots.values());
    const sets = new Map<number, Installed>();
    for (let index = 1; index < limits.MAX_SETS; index++) {
      const since = this.#generationOf(index);
      if (since === undefined) continue;
      const known = saved.find((set) => set.index === index && set.since === since);
      if (known !== undefined || used.has(index)) {
        const digest = known?.digest ?? `unknown ${index}`;
        // Of a set that nothing is known of every automaton may be.
        const places = known?.automata ?? this.#engine.arena.places;
        for (const place of places) this.#engine.arena.hold(place);
        const filter = this.#holdFilter(index);
        const until = Number.POSITIVE_INFINITY;
        const set = { index, digest, since, names: known?.names, places, filter, users: 0, until };
        sets.set(index, set);
        this.#sets.set(digest, set);
        this.#remember(set);
        this.#next = index + 1;
      } else this.#removeFromKernel(index); // loaded, never put in force
    }
    for (let index = 1; index < this.#next; index++) if (!sets.has(index)) this.#free.push(index);
    const until = performance.now() + keepNamesMs;
    for (const { index, since, digest, names } of saved)
      if (sets.get(index)?.since !== since)
        this.#remember({ index, digest, since, names, places: [], filter: 0, users: 0, until });
    for (const [slot, index] of slots) {
      const set = sets.get(index);
      if (set === undefined) continue;
      set.users++;
      this.#current.set(slot, set);
    }
  }

  /** System calls that sets name of which nothing is known but that workloads are under them. */
  get unknownCalls(): number[] {
    const unknown = [...this.#sets.values()].filter(({ names, users }) => names === undefined && users > 0);
    return unknown.flatMap(({ index }) => {
      const head = this.#headOf(index);
      const { offset } = setLayout.fields.syscalls;
      const named = (number: number): boolean => ((head[offset + (number >>> 3)] ?? 0) & (1 << (number & 7))) !== 0;
      return Array.from({ length: limits.MAX_SYSCALLS }, (_, number) => number).filter(named);
    });
  }

  /**
   * Loads the rules without putting them in force; when equal rules are there already, nothing is done.
   *
   * @returns what is new and has to be on the disk before it is put in force
   * @throws KernelError when the kernel has no room; what was in force stays
   */
  install(ruleSet: RuleSet, encoded: EncodedRuleSet, generation: number): SavedRuleSet | undefined {
    if (this.#sets.has(encoded.digest)) return undefined;
    const index = this.#free.pop() ?? this.#next;
    if (index >= limits.MAX_SETS)
      throw new KernelError(
        'full',
        `${limits.MAX_SETS - 1} rule sets are loaded, those that others are about to replace included: there is no room for one more`,
      );
    if (index === this.#next) this.#next++;
    const places: number[] = [];
    let filter = 0;
    try {
      for (const automaton of encoded.automata) places.push(this.#engine.arena.place(placedAs(automaton)));
      const [keys, values] = placeAutomata(encoded, places);
      const flags = 0; // as in bpf/maps.h: the kernel compares
      using rules = createMap({
        name: `picket_set_${index}`,
        type: mapTypes.hash,
        keyBytes: ruleKey.size,
        valueBytes: ruleLayout.size,
        maxEntries: Math.max(1, encoded.count),
        flags,
      });
      rules.updateBatch(keys, values, encoded.count);
      this.#engine.map('picket_rules').updateInner(u32(index), rules);
      filter = this.#filters.place(encoded.filter);
      this.#engine.map('picket_sets').update(u32(index), finishSet(encoded, generation, filter));
    } catch (error) {
      this.#filters.release(filter);
      for (const place of places) this.#engine.arena.release(place);
      if (places.length > 0) this.#engine.arena.collect();
      this.#free.push(index);
      throw error;
    }
    const { digest } = encoded;
    const set = {
      index,
      digest,
      since: generation,
      names: namesOf(ruleSet),
      places,
      filter,
      users: 0,
      until: Number.POSITIVE_INFINITY,
    };
    this.#sets.set(digest, set);
    this.#remember(set);
    return this.#toSaved(set);
  }

  /**
   * Puts an installed rule set in force on the workload in `slot`: what was encoded as `encoded`. From the next access on
   * it is judged by it.
   */
  flip(slot: number, encoded: EncodedRuleSet, generation: number): void {
    const set = this.#sets.get(encoded.digest);
    if (set === undefined) throw new Error('a rule set is put in force before it is installed');
    const before = this.#current.get(slot);
    set.users++;
    this.#current.set(slot, set);
    this.#engine.workloads.store(slot, setField.offset, (BigInt(generation) << 32n) | BigInt(set.index));
    if (before !== undefined) before.users--;
  }

  /** Whether the rules are those in force on the workload in `slot`. */
  isInForce(slot: number, encoded: EncodedRuleSet): boolean {
    return this.#current.get(slot)?.digest === encoded.digest;
  }

  /** The workload in `slot` is gone. */
  clear(slot: number): void {
    const before = this.#current.get(slot);
    if (before === undefined) return;
    this.#current.delete(slot);
    before.users--;
  }

  /**
   * Removes the rule sets that nobody is under. Waits until no program reads them any more (tens of milliseconds).
   *
   * @returns sets whose names are forgotten: the disk need not know them any more
   */
  collect(): Pick<SavedRuleSet, 'engine' | 'index' | 'since'>[] {
    const now = performance.now();
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
      for (const set of unused) {
        this.#removeFromKernel(set.index);
        this.#sets.delete(set.digest);
        this.#free.push(set.index);
        this.#filters.release(set.filter);
        for (const place of set.places) this.#engine.arena.release(place);
        set.until = now + keepNamesMs;
      }
      if (unused.some((set) => set.places.length > 0)) this.#engine.arena.collect();
    }
    const forgotten: Installed[] = [];
    for (const [index, sets] of this.#named) {
      const kept = sets.filter(({ until }) => until >= now);
      forgotten.push(...sets.filter(({ until }) => until < now));
      if (kept.length === 0) this.#named.delete(index);
      else if (kept.length < sets.length) this.#named.set(index, kept);
    }
    return forgotten.map(({ index, since }) => ({ engine: this.#engine.id, index, since }));
  }

  /** What names the verdict of a rule set; undefined: it left the kernel more than a minute ago. */
  find(index: number, generation: number): RuleNames | undefined {
    // A set keeps its index for some generations; the newest that is not newer than the verdict gave it.
    return this.#named.get(index)?.findLast(({ since }) => since <= generation)?.names;
  }

  #remember(set: Installed): void {
    const sets = [...(this.#named.get(set.index) ?? []), set].sort((a, b) => a.since - b.since);
    this.#named.set(set.index, sets);
  }

  /** Generation under which the set at `index` was loaded; undefined: none is there. */
  #generationOf(index: number): number | undefined {
    // The head tells, not the map of maps: a look-up there waits for all programs in kernels before 6.8.
    return this.#headOf(index).readUInt32LE(setLayout.fields.generation.offset) || undefined;
  }

  /** `struct picket_set` of an index; zeros: none is there. */
  #headOf(index: number): Buffer {
    return Buffer.from(this.#engine.map('picket_sets').lookup(u32(index)) ?? new Uint8Array(setLayout.size));
  }

  #holdFilter(index: number): number {
    const head = this.#headOf(index);
    const place = head.readUInt32LE(setLayout.fields.filter.offset);
    if (place !== 0) this.#filters.hold(place, 2 ** (64 - head.readUInt32LE(setLayout.fields.filter_shift.offset)) / 8);
    return place;
  }

  /** The head goes first, as it comes last: where there is a head there are rules, whenever this process is stopped. */
  #removeFromKernel(index: number): void {
    this.#engine.map('picket_sets').update(u32(index), new Uint8Array(setLayout.size));
    this.#engine.map('picket_rules').delete(u32(index));
  }

  #toSaved({ index, since, digest, names, places }: Installed): SavedRuleSet | undefined {
    if (names === undefined) return undefined;
    const rules = names.rules.map((rule) => ({ ...rule, tags: [...rule.tags] }));
    const late = names.late.map((entry) => ({
      ...entry,
      ...{ exact: [...entry.exact], near: [...entry.near], deep: [...entry.deep] },
    }));
    return { engine: this.#engine.id, index, since, digest, automata: [...places], names: { rules, late } };
  }
}

/** Automata of equal bytes that stand for other rules need places of their own. */
function placedAs({ bytes, digest, variant }: RuleAutomaton): { bytes: Buffer; digest: string } {
  return { bytes, digest: variant === 0 ? digest : `${digest} ${variant}` };
}
