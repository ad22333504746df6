import { category as categories, limits, setFlags } from '../abi.gen.ts';
import type { WorkloadRecord } from '../workload/workload.ts';
import { baseline } from './baseline.ts';
import { policyError, ruleError, uncoveredError } from './compile-error.ts';
import { maxDepth } from './coverage.ts';
import { depthOf } from './path.ts';
import { modeOf, posturesOf } from './posture.ts';
import type { Policy, Rule } from './rule.ts';
import { type RuleInfo, type RuleSet, ruleInfo } from './ruleset.ts';
import { appliesTo } from './select.ts';
import type { Settings } from './settings.ts';
import { SlotTable } from './slot.ts';
import { below, rulePath, type Spellings } from './spelling.ts';
import { syscallNumber } from './syscall.ts';
import { compareBytes } from './verdict.ts';

export { CompileError } from './compile-error.ts';

/**
 * Compiles all policies that cover the workload into one rule set: per path and directory, and for each kind of access,
 * the outcome that sections 13 to 15 of the policy language give. Pure; the order of `policies` does not matter.
 * `spellings` must know every path of the policies (resolveSpellings); `root` is where the workload's root directory lies
 * in its mount namespace. Throws CompileError.
 */
export function compile(
  policies: readonly Policy[],
  workload: WorkloadRecord,
  settings: Settings,
  spellings: Spellings,
  root = '/',
): RuleSet {
  const covering = policies.filter((policy) => appliesTo(policy, workload, settings)).sort(comparePolicies);
  const slots = new SlotTable();
  const rules: RuleInfo[] = [];
  const syscalls = new Set<number>();
  let allowLists = 0;
  let blocks = 0;
  for (const policy of covering)
    for (const rule of policy.rules) {
      if (rules.length === limits.MAX_RULES)
        throw policyError(policy, `the rules of one workload are more than ${limits.MAX_RULES}`);
      const judged = { ...rule, policyName: policy.name, number: rules.length };
      rules.push(ruleInfo(rule));
      for (const category of keyCategories(rule)) {
        if (rule.category === 'syscalls') syscalls.add(category >>> 8);
        for (const path of pathsOf(rule, spellings)) slots.add(category, path, judged);
      }
      if (rule.action === 'Block' && rule.category === 'process') blocks |= setFlags.SET_BLOCKS;
      if (rule.action === 'Block' && rule.category === 'file') blocks |= setFlags.SET_BLOCKS << 1;
      if (rule.action === 'Allow') allowLists |= setFlags.SET_ALLOW_LIST << categoryNumber(rule);
    }

  if (allowLists & (setFlags.SET_ALLOW_LIST << categories.CATEGORY_FILE) && settings.fileBaseline === 'on')
    for (const [path, flags] of baseline) slots.flag(categories.CATEGORY_FILE, below(root, path), flags);

  const { postures, diagnostics } = posturesOf(workload, settings);
  const mode = modeOf(workload, settings);
  let flags = allowLists | blocks;
  if (postures.process === 'audit') flags |= setFlags.SET_POSTURE_AUDIT << categories.CATEGORY_PROCESS;
  if (postures.file === 'audit') flags |= setFlags.SET_POSTURE_AUDIT << categories.CATEGORY_FILE;
  if (mode === 'audited') flags |= setFlags.SET_AUDITED;
  if (mode === 'disabled') flags |= setFlags.SET_DISABLED;
  return {
    flags,
    entries: slots.entries,
    rules,
    syscalls: [...syscalls].sort((a, b) => a - b),
    policies: covering,
    diagnostics,
  };
}

function comparePolicies(a: Policy, b: Policy): number {
  return compareBytes(a.name, b.name) || compareBytes(a.kind, b.kind) || compareBytes(a.namespace, b.namespace);
}

function categoryNumber(rule: Rule): number {
  if (rule.category === 'process') return categories.CATEGORY_PROCESS;
  if (rule.category === 'file') return categories.CATEGORY_FILE;
  if (rule.category === 'syscalls') return categories.CATEGORY_SYSCALL;
  throw uncoveredError(rule);
}

/** The `category` of the keys under which a rule is found: one, or one for each system call it names. */
function keyCategories(rule: Rule): number[] {
  const { object } = rule;
  if (object.kind !== 'syscall') return [categoryNumber(rule)];
  return object.names.map((name) => {
    const number = syscallNumber(name);
    if (number === undefined) throw uncoveredError(rule);
    return categories.CATEGORY_SYSCALL | (number << 8);
  });
}

/** All spellings of the rule's path; undefined stands for a rule without a path. */
function pathsOf(rule: Rule, spellings: Spellings): readonly (string | undefined)[] {
  const path = rulePath(rule);
  if (path === undefined) return [undefined];
  const paths = spellings.get(path);
  if (paths === undefined) throw new Error(`the spellings of ${path} are not known`);
  if (paths.some((spelling) => depthOf(spelling) > maxDepth))
    throw ruleError(rule, `${path} resolves to a path of more than ${maxDepth} components`);
  return paths;
}
