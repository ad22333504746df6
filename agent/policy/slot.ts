import { key as keys, ruleFlags } from '../abi.gen.ts';
import type { NumberedRule } from './number.ts';
import type { RuleKey } from './rule-key.ts';
import type { EntryObject, RuleEntry } from './ruleset.ts';
import { judgeEqual } from './verdict.ts';

/** The rules that share one key of the kernel's map, by the way in which they match its object. */
interface Slot {
  object: EntryObject;
  category: number;
  source: number;
  exact: NumberedRule[];
  /** Syscall rules on the directory object alone: they rank as directory rules. */
  self: NumberedRule[];
  near: NumberedRule[];
  deep: NumberedRule[];
  flags: number;
  list: number;
  automaton: number | undefined;
  /** By list of arguments: the slot of the rules that have it. */
  parts: Map<number, Slot> | undefined;
}

const anySource: readonly number[] = [0];

/** Sorts rules by key, then judges each key's rules once for all. */
export class SlotTable {
  readonly #slots = new Map<string, Slot>();
  readonly #lists = new Map<string, { number: number; members: ReadonlySet<string> }>();

  /** Adds a rule under one of its keys; `sources`: the numbers of its sources, undefined when any source will do. */
  add(rule: NumberedRule, { category, object, match }: RuleKey, sources: readonly number[] | undefined): void {
    for (const source of sources ?? anySource) {
      const slot = this.#for(rule, this.#at(category, object, source));
      switch (match) {
        case 'exact':
          slot.exact.push(rule);
          break;
        case 'self':
          slot.self.push(rule);
          break;
        case 'level':
          slot.near.push(rule);
          break;
        case 'domain':
          slot.exact.push(rule);
          slot.near.push(rule);
          slot.deep.push(rule);
          break;
        case 'tree':
          slot.near.push(rule);
          slot.deep.push(rule);
      }
    }
  }

  /** Adds `enum picket_rule_flags` to a path. */
  flag(category: number, path: string, flags: number): void {
    this.#at(category, { kind: 'path', path }, 0).flags |= flags;
  }

  /** Leads what lies below a directory to the automaton of its patterns. */
  lead(category: number, directory: string, automaton: number): void {
    this.#at(category, { kind: 'path', path: directory }, 0).automaton = automaton;
  }

  get entries(): RuleEntry[] {
    const slots = [...this.#slots.values()].flatMap((slot) => [slot, ...(slot.parts?.values() ?? [])]);
    const lists = [...this.#lists.values()].flatMap(({ number, members }) =>
      [...members].map((name) => newSlot(keys.KEY_ARGUMENT, { kind: 'name', name }, number)),
    );
    return [...slots, ...lists].map(({ exact, self, near, deep, parts: _, ...rest }) => {
      // The directory object itself: its exact rules, else all rules of the directory that reach it, as equals.
      const own = exact.length > 0 || self.length === 0 ? exact : [...self, ...near];
      return {
        ...rest,
        exact: judgeEqual(own),
        near: judgeEqual(near),
        deep: judgeEqual(deep),
      };
    });
  }

  #at(category: number, object: EntryObject, source: number): Slot {
    const key = `${category} ${source} ${nameOf(object)}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = newSlot(category, object, source);
      this.#slots.set(key, slot);
      // The kernel looks for keys of single sources where one without a source says that there are some.
      if (source !== 0) this.#at(category, object, 0).flags |= ruleFlags.RULE_SOURCES;
    }
    return slot;
  }

  /** Where the rule stands under a key: with those that have the same list of arguments. */
  #for({ qualifiers: { allowedArgs } }: NumberedRule, slot: Slot): Slot {
    if (allowedArgs === undefined) return slot;
    const list = this.#listOf(allowedArgs);
    slot.flags |= ruleFlags.RULE_PARTS;
    slot.parts ??= new Map();
    let part = slot.parts.get(list);
    if (part === undefined) {
      const category = slot.category | ((slot.parts.size + 1) << keys.KEY_DETAIL);
      part = { ...newSlot(category, slot.object, slot.source), list };
      slot.parts.set(list, part);
    }
    return part;
  }

  #listOf(args: readonly string[]): number {
    const members = new Set([...args].sort());
    const key = JSON.stringify([...members]);
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = { number: this.#lists.size + 1, members };
      this.#lists.set(key, list);
    }
    return list.number;
  }
}

function newSlot(category: number, object: EntryObject, source: number): Slot {
  return {
    ...{ object, category, source, flags: 0, list: 0, automaton: undefined, parts: undefined },
    ...{ exact: [], self: [], near: [], deep: [] },
  };
}

function nameOf(object: EntryObject): string {
  switch (object.kind) {
    case 'path':
      return object.path;
    case 'name':
      return `=${object.name}`;
    case 'number':
      return `#${object.number}`;
    case 'accept':
      return `*${object.automaton} ${object.accept}`;
  }
}
