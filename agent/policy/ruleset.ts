import type { Diagnostic } from './diagnostic.ts';
import type { Action, Category, Policy, PolicyKind, Rule } from './rule.ts';
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

/** What the rules say about one path: as an object, as a directory of its own level, as a directory further up. */
export interface RuleEntry {
  /** Undefined: the entry of a syscall rule without a path. */
  path: string | undefined;
  /** `category` of `struct picket_rule_key`. */
  category: number;
  exact: Outcomes;
  near: Outcomes;
  deep: Outcomes;
  /** `enum picket_rule_flags` */
  flags: number;
}

/** All rules in force on one workload; the number in an outcome is the index into `rules`. */
export interface RuleSet {
  /** `enum picket_set_flags` */
  flags: number;
  entries: readonly RuleEntry[];
  rules: readonly RuleInfo[];
  /** Numbers of the system calls that rules name, ascending. */
  syscalls: readonly number[];
  /** The policies that cover the workload. */
  policies: readonly Policy[];
  /** On annotations of the workload's namespace. */
  diagnostics: readonly Diagnostic[];
}

/** As much of a rule set as names its verdicts. */
export type RuleNames = Pick<RuleSet, 'rules' | 'entries'>;

export function ruleInfo(rule: Rule): RuleInfo {
  const { category, policy, where, action, severity, tags, message } = rule;
  const { kind, namespace, name, uid } = policy;
  return { category, kind, namespace, policy: name, uid, path: where, action, severity, tags, message };
}
