import type { Diagnostic } from './diagnostic.ts';
import type { Action, Category, Policy, PolicyIdentity, PolicyKind } from './rule.ts';
import type { Outcomes } from './verdict.ts';

/** What an alert says about the rule that made it. */
export interface RuleInfo {
  category: Category;
  kind: PolicyKind;
  namespace: string;
  policy: string;
  uid: string;
  /** `spec.file.matchPaths[0]` */
  path: string;
  action: Action;
  severity: number;
  tags: readonly string[];
  message: string;
}

/** What the hash of a key is made of. */
export type EntryObject =
  /** A path; a domain is one, its labels from the last to the first. */
  | { kind: 'path'; path: string }
  /** A name by itself: of a program, or an argument. */
  | { kind: 'name'; name: string }
  /** The number itself; 0: no object. */
  | { kind: 'number'; number: number }
  /** What an automaton says about a path: its index in `automata`, and the accept id. */
  | { kind: 'accept'; automaton: number; accept: number };

/** One key of the kernel's map: what the rules say about one object, or a directory, under one source. */
export interface RuleEntry {
  object: EntryObject;
  /** `category` of `struct picket_rule_key`. */
  category: number;
  /** Number of the source that acts, 0: any. */
  source: number;
  exact: Outcomes;
  near: Outcomes;
  deep: Outcomes;
  /** `enum picket_rule_flags` */
  flags: number;
  /** Of a part: the number of its list of arguments, else 0. */
  list: number;
  /** Index in `automata` of the patterns that begin with this directory. */
  automaton?: number | undefined;
}

/** An automaton of patterns. Those with equal bytes that stand for other rules differ by `variant`: each has its own place. */
export interface RuleAutomaton {
  bytes: Buffer;
  digest: string;
  variant: number;
}

/** All rules in force on one workload; the number in an outcome is the index into `rules`. */
export interface RuleSet {
  /** `enum picket_set_flags` */
  flags: number;
  /** Bit c set: there are rules or presets of category c (`enum picket_category`). */
  judged: number;
  entries: readonly RuleEntry[];
  automata: readonly RuleAutomaton[];
  /** The lower the number, the sooner an alert names the rule. */
  rules: readonly RuleInfo[];
  /** By `enum picket_preset`: what the preset says, OUTCOME_NONE: it is not asked for. */
  presets: readonly number[];
  /** Numbers of the system calls that rules name, ascending. */
  syscalls: readonly number[];
  /** The policies that cover the workload. */
  policies: readonly Policy[];
  /** On annotations of the workload's namespace. */
  diagnostics: readonly Diagnostic[];
}

/** An entry by which the agent itself judges a system call (lookup.ts). */
export type LateEntry = Pick<RuleEntry, 'category' | 'source' | 'exact' | 'near' | 'deep'> & {
  /** Undefined: rules on the call without a path. */
  path?: string | undefined;
};

/** As much of a rule set as names its verdicts. */
export interface RuleNames {
  rules: readonly RuleInfo[];
  late: readonly LateEntry[];
}

/** The part of a rule or a preset that alerts show. */
type Named = Pick<RuleInfo, 'category' | 'action' | 'severity' | 'tags' | 'message'> & { where: string };

export function ruleInfo(rule: Named, policy: PolicyIdentity & { uid: string }): RuleInfo {
  const { category, where, action, severity, tags, message } = rule;
  const { kind, namespace, name, uid } = policy;
  return { category, kind, namespace, policy: name, uid, path: where, action, severity, tags, message };
}
