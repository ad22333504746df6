import { limits } from '../abi.gen.ts';
import { policyError } from './compile-error.ts';
import { presetCategory } from './preset.ts';
import type { Policy, PresetRule, Rule } from './rule.ts';
import { type RuleInfo, ruleInfo } from './ruleset.ts';
import { compareBytes } from './verdict.ts';

export type NumberedRule = Rule & { number: number };
export type NumberedPreset = PresetRule & { number: number };

export interface Numbered {
  rules: NumberedRule[];
  presets: NumberedPreset[];
  /** By number. */
  infos: RuleInfo[];
}

/**
 * Numbers the rules in the order in which alerts prefer to name them (policy language, 14.3): the higher severity first, then
 * policy name in byte order, then position in the policy. The order of `policies` does not matter.
 */
export function numberRules(policies: readonly Policy[]): Numbered {
  const all = [...policies]
    .sort(comparePolicies)
    .flatMap((policy) => [
      ...policy.rules.map((rule) => ({ policy, rule, preset: undefined, severity: rule.severity })),
      ...policy.presets.map((preset) => ({ policy, rule: undefined, preset, severity: preset.severity })),
    ])
    .sort((a, b) => b.severity - a.severity);
  const last = all[limits.MAX_RULES];
  if (last !== undefined) throw policyError(last.policy, `the rules of one workload are more than ${limits.MAX_RULES}`);
  const result: Numbered = { rules: [], presets: [], infos: [] };
  for (const [number, { policy, rule, preset }] of all.entries()) {
    if (rule !== undefined) result.rules.push({ ...rule, number });
    if (preset !== undefined) result.presets.push({ ...preset, number });
    const named = rule ?? { ...preset, category: presetCategory(preset.name) };
    result.infos.push(ruleInfo(named, policy));
  }
  return result;
}

/** Kind gives no rank; two of one name are told apart all the same. */
export function comparePolicies(a: Policy, b: Policy): number {
  return compareBytes(a.name, b.name) || compareBytes(a.kind, b.kind) || compareBytes(a.namespace, b.namespace);
}
