import { category as categories, key as keys, outcome, preset as presets, setFlags, verdict } from '../abi.gen.ts';
import type { WorkloadRecord } from '../workload/workload.ts';
import { baseline } from './baseline.ts';
import { addGlobs } from './glob-key.ts';
import { type NumberedPreset, type NumberedRule, numberRules } from './number.ts';
import { modeOf, posturesOf } from './posture.ts';
import { presetNumber } from './preset.ts';
import type { Category, Policy } from './rule.ts';
import { categoryNumber, ruleKeys } from './rule-key.ts';
import type { RuleEntry, RuleSet } from './ruleset.ts';
import { appliesTo } from './select.ts';
import type { Settings } from './settings.ts';
import { SlotTable } from './slot.ts';
import { numberSources } from './source.ts';
import { below, type Spellings } from './spelling.ts';
import { noOutcomes, outcomeOf } from './verdict.ts';

export { CompileError } from './compile-error.ts';

/**
 * Compiles all policies that cover the workload into one rule set: per object, directory and source, and for each kind of
 * access, the outcome that sections 13 to 15 of the policy language give. Pure; the order of `policies` does not matter.
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
  const covering = policies.filter((policy) => appliesTo(policy, workload, settings));
  const { rules, asked, infos, sources, slots, syscalls, automata } = keysOf(covering, spellings);

  let flags = ruleFlagsOf(rules);
  if (flags & (setFlags.SET_ALLOW_LIST << categories.CATEGORY_FILE) && settings.fileBaseline === 'on')
    for (const [path, baselineFlags] of baseline)
      slots.flag(categories.CATEGORY_FILE, below(root, path), baselineFlags);

  const { postures, diagnostics } = posturesOf(workload, settings);
  for (const [category, posture] of Object.entries(postures))
    if (posture === 'audit') flags |= setFlags.SET_POSTURE_AUDIT << categoryNumber(category as Category);
  const mode = modeOf(workload, settings);
  if (mode === 'audited') flags |= setFlags.SET_AUDITED;
  if (mode === 'disabled') flags |= setFlags.SET_DISABLED;
  return {
    flags: flags >>> 0,
    judged: infos.reduce((mask, { category }) => mask | (1 << categoryNumber(category)), 0),
    entries: [...slots.entries, ...sources.entries, ...namespaceEntries(rules, workload.namespace)],
    automata,
    rules: infos,
    presets: presetOutcomes(asked),
    syscalls: [...syscalls].sort((a, b) => a - b),
    policies: covering,
    diagnostics,
  };
}

/**
 * The rules of some policies by the keys under which the kernel side finds them, whomever the policies cover. Throws CompileError.
 */
export function keysOf(policies: readonly Policy[], spellings: Spellings) {
  const { rules, presets: asked, infos } = numberRules(policies);
  const sources = numberSources(rules, spellings);
  const slots = new SlotTable();
  const syscalls = new Set<number>();
  for (const rule of rules)
    for (const key of ruleKeys(rule, spellings)) {
      if (rule.category === 'syscalls') syscalls.add(key.category >>> 8);
      slots.add(rule, key, sources.of.get(rule.number));
    }
  return { rules, asked, infos, sources, slots, syscalls, automata: addGlobs(slots, rules, sources, spellings) };
}

/** For DNS rules: how the kernel tells the search suffix of the workload's namespace from a domain of the same shape. */
function namespaceEntries(rules: readonly NumberedRule[], namespace: string): RuleEntry[] {
  if (namespace === '' || !rules.some(({ category }) => category === 'dns')) return [];
  return [
    {
      object: { kind: 'name', name: namespace.toLowerCase() },
      category: categories.CATEGORY_DNS | (1 << keys.KEY_DETAIL),
      ...{ source: 0, exact: noOutcomes, near: noOutcomes, deep: noOutcomes, flags: 0, list: 0 },
    },
  ];
}

/** What of `enum picket_set_flags` the rules ask for. */
function ruleFlagsOf(rules: readonly NumberedRule[]): number {
  let flags = 0;
  for (const { action, category, object, fromSource } of rules) {
    if (action === 'Allow') flags |= setFlags.SET_ALLOW_LIST << categoryNumber(category);
    if (action === 'Block' && (category === 'process' || category === 'file'))
      flags |= setFlags.SET_BLOCKS << categoryNumber(category);
    if (fromSource.length > 0) flags |= setFlags.SET_SOURCES << categoryNumber(category);
    if (object.kind === 'execname') flags |= setFlags.SET_EXECNAMES;
  }
  return flags;
}

/** Several policies may ask for one preset: a refusal counts before an alert, then the lower number. */
function presetOutcomes(asked: readonly NumberedPreset[]): number[] {
  const outcomes: number[] = new Array(presets.PRESETS).fill(outcome.OUTCOME_NONE);
  for (const action of ['Audit', 'Block'] as const)
    for (const preset of asked.filter((each) => each.action === action).reverse())
      outcomes[presetNumber(preset.name)] = outcomeOf(
        action === 'Block' ? verdict.VERDICT_DENY : verdict.VERDICT_ALERT,
        preset.number,
      );
  return outcomes;
}
