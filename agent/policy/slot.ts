import { uncoveredError } from './compile-error.ts';
import type { Rule } from './rule.ts';
import type { RuleEntry } from './ruleset.ts';
import { type JudgedRule, judgeEqual } from './verdict.ts';

/** The rules that share one key of the kernel's map, by the way in which they match its path. */
interface Slot {
  path: string | undefined;
  category: number;
  exact: JudgedRule[];
  /** Syscall rules on the directory object alone: they rank as directory rules. */
  self: JudgedRule[];
  near: JudgedRule[];
  deep: JudgedRule[];
  flags: number;
}

/** Sorts rules by key, then judges each key's rules once for all. */
export class SlotTable {
  readonly #slots = new Map<string, Slot>();

  /** Adds a rule under one spelling of its path; undefined stands for a rule without a path. */
  add(category: number, path: string | undefined, rule: JudgedRule & Rule): void {
    const { object, fromSource, qualifiers } = rule;
    if (fromSource.length > 0 || qualifiers.allowedArgs) throw uncoveredError(rule);
    const slot = this.#at(category, path);
    const target = object.kind === 'syscall' ? (object.target ?? { kind: 'path' }) : object;
    if (target.kind === 'path') slot.exact.push(rule);
    else if (target.kind !== 'dir') throw uncoveredError(rule);
    else if (target.recursive) {
      slot.near.push(rule);
      slot.deep.push(rule);
    } else if (object.kind === 'syscall') slot.self.push(rule);
    else slot.near.push(rule);
  }

  /** Adds `enum picket_rule_flags` to a path. */
  flag(category: number, path: string, flags: number): void {
    this.#at(category, path).flags |= flags;
  }

  get entries(): RuleEntry[] {
    return [...this.#slots.values()].map(({ path, category, exact, self, near, deep, flags }) => {
      // The directory object itself: its exact rules, else all rules of the directory that reach it, as equals.
      const own = exact.length > 0 || self.length === 0 ? exact : [...self, ...near];
      return { path, category, exact: judgeEqual(own), near: judgeEqual(near), deep: judgeEqual(deep), flags };
    });
  }

  #at(category: number, path: string | undefined): Slot {
    const key = `${category} ${path ?? ''}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { path, category, exact: [], self: [], near: [], deep: [], flags: 0 };
      this.#slots.set(key, slot);
    }
    return slot;
  }
}
