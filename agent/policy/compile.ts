import { category as categories, limits, setFlags } from '../abi.gen.ts';
import type { WorkloadRecord } from '../workload/workload.ts';
import { baseline } from './baseline.ts';
import { maxDepth, syscallNumber } from './coverage.ts';
import { type Diagnostic, diagnose } from './diagnostic.ts';
import { depthOf } from './path.ts';
import { modeOf, posturesOf } from './posture.ts';
import type { Policy, Rule } from './rule.ts';
import { type RuleEntry, type RuleInfo, type RuleSet, ruleInfo } from './ruleset.ts';
import { appliesTo } from './select.ts';
import type { Settings } from './settings.ts';
import { rulePath, type Spellings } from './spelling.ts';
import { compareBytes, type JudgedRule, judgeEqual } from './verdict.ts';

/** The policies cannot be put in force on this workload; its generation in force stays. */
export class CompileError extends Error {
  readonly code = 'LoadFailed';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics[0]?.message ?? 'the rules cannot be put in force');
    this.diagnostics = diagnostics;
  }
}

/** Rules that share one key, by the way in which they match it. */
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

/**
 * Compiles all policies that cover the workload into one rule set: per path and directory, and for each kind of access,
 * the outcome that sections 13 to 15 of the policy language give. Pure; the order of `policies` does not matter.
 * `spellings` must know every path of the policies (resolveSpellings). Throws CompileError.
 */
export function compile(
  policies: readonly Policy[],
  workload: WorkloadRecord,
  settings: Settings,
  spellings: Spellings,
): RuleSet {
  const covering = policies.filter((policy) => appliesTo(policy, workload, settings)).sort(comparePolicies);
  const slots = new Map<string, Slot>();
  const rules: RuleInfo[] = [];
  const syscalls = new Set<number>();
  let flags = 0;

  for (const policy of covering)
    for (const rule of policy.rules) {
      const judged = { ...rule, policyName: policy.name, number: rules.length };
      rules.push(ruleInfo(rule));
      if (rules.length > limits.MAX_RULES) throw tooMany(policy);
      for (const category of keyCategories(rule)) {
        if (rule.category === 'syscalls') syscalls.add(category >>> 8);
        for (const path of pathsOf(rule, spellings)) place(slotAt(slots, category, path), rule, judged);
      }
      if (rule.action === 'Allow') flags |= setFlags.SET_ALLOW_LIST << categoryNumber(rule);
    }

  const allowList = setFlags.SET_ALLOW_LIST << categories.CATEGORY_FILE;
  if (flags & allowList && settings.fileBaseline === 'on')
    for (const [path, flag] of baseline) slotAt(slots, categories.CATEGORY_FILE, path).flags |= flag;

  const { postures, diagnostics } = posturesOf(workload, settings);
  if (postures.process === 'audit') flags |= setFlags.SET_POSTURE_AUDIT << categories.CATEGORY_PROCESS;
  if (postures.file === 'audit') flags |= setFlags.SET_POSTURE_AUDIT << categories.CATEGORY_FILE;
  const mode = modeOf(workload, settings);
  if (mode === 'audited') flags |= setFlags.SET_AUDITED;
  if (mode === 'disabled') flags |= setFlags.SET_DISABLED;

  return {
    flags,
    entries: [...slots.values()].map(toEntry),
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
  throw uncovered(rule);
}

/** The `category` of the keys under which a rule is found: one, or one for each system call it names. */
function keyCategories(rule: Rule): number[] {
  const { object } = rule;
  if (object.kind !== 'syscall') return [categoryNumber(rule)];
  return object.names.map((name) => {
    const number = syscallNumber(name);
    if (number === undefined) throw uncovered(rule);
    return categories.CATEGORY_SYSCALL | (number << 8);
  });
}

/** All spellings of the rule's path; undefined stands for a rule without a path. */
function pathsOf(rule: Rule, spellings: Spellings): readonly (string | undefined)[] {
  const path = rulePath(rule);
  if (path === undefined) return [undefined];
  const paths = spellings.get(path);
  if (paths === undefined) throw new Error(`the spellings of ${path} are not known`);
  for (const spelling of paths)
    if (depthOf(spelling) > maxDepth)
      throw new CompileError([failure(rule, `${path} resolves to a path of more than ${maxDepth} components`)]);
  return paths;
}

function slotAt(slots: Map<string, Slot>, category: number, path: string | undefined): Slot {
  const key = `${category} ${path ?? ''}`;
  let slot = slots.get(key);
  if (slot === undefined) {
    slot = { path, category, exact: [], self: [], near: [], deep: [], flags: 0 };
    slots.set(key, slot);
  }
  return slot;
}

function place(slot: Slot, { object, fromSource, qualifiers }: Rule, rule: JudgedRule & Rule): void {
  const target = object.kind === 'syscall' ? (object.target ?? { kind: 'path' }) : object;
  if (fromSource.length > 0 || qualifiers.allowedArgs) throw uncovered(rule);
  if (target.kind === 'path') slot.exact.push(rule);
  else if (target.kind !== 'dir') throw uncovered(rule);
  else if (target.recursive) {
    slot.near.push(rule);
    slot.deep.push(rule);
  } else if (object.kind === 'syscall') slot.self.push(rule);
  else slot.near.push(rule);
}

function toEntry({ path, category, exact, self, near, deep, flags }: Slot): RuleEntry {
  // The directory object itself: its exact rules, else all rules of the directory that reach it, as equals.
  const own = exact.length > 0 || self.length === 0 ? exact : [...self, ...near];
  return { path, category, exact: judgeEqual(own), near: judgeEqual(near), deep: judgeEqual(deep), flags };
}

function failure(rule: Rule, message: string): Diagnostic {
  const { kind, namespace, name } = rule.policy;
  return diagnose(
    { policy: name, kind, ...(namespace !== '' && { namespace }) },
    'LoadFailed',
    rule.where,
    message,
    rule.position,
  );
}

function uncovered(rule: Rule): CompileError {
  return new CompileError([failure(rule, 'this version does not enforce the rule; the policy is not loaded')]);
}

function tooMany({ name, kind, namespace }: Policy): CompileError {
  const message = `the rules of one workload are more than ${limits.MAX_RULES}`;
  return new CompileError([
    diagnose({ policy: name, kind, ...(namespace !== '' && { namespace }) }, 'LoadFailed', 'spec', message),
  ]);
}
