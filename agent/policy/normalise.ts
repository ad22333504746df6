import { addNameRules } from './name-rules.ts';
import { addPathRules } from './path-rules.ts';
import { normalisePresets } from './presets.ts';
import type { Report } from './report.ts';
import type { Policy, Rule } from './rule.ts';
import { RuleList } from './rule-list.ts';
import type { PolicyObject } from './schema.ts';
import { normaliseSelector } from './selector.ts';
import { addSyscallRules } from './syscall-rules.ts';

/**
 * Turns a checked object into a policy: values inherited, comma lists split, slashes and letter case settled, one flat
 * list of rules. What is left out or changed on the way is reported; a refusal is reported too and ends in a policy
 * that the caller must not use (`report.refused`).
 */
export function normalise(object: PolicyObject, report: Report): Policy {
  const { kind, metadata, spec } = object;
  const identity = {
    kind,
    namespace: kind === 'KubeArmorPolicy' ? (metadata.namespace ?? 'default') : '',
    name: metadata.name,
    uid: metadata.uid ?? '',
  };
  const list = new RuleList(identity, spec, report);
  addPathRules(spec, list);
  addNameRules(spec, list);
  addSyscallRules(spec, list);
  const { rules } = list;
  const presets = normalisePresets(object, report);
  if (kind === 'KubeArmorHostPolicy') refuseCutOff(rules, report);
  if (rules.length === 0 && presets.length === 0)
    report.add('NoRules', ['spec'], 'found no rule; the policy does nothing');
  return { ...identity, generation: metadata.generation ?? 0, selector: normaliseSelector(object), rules, presets };
}

/** A host rule on all sockets or on a capability of every program, not only audited, would cut the node off. */
function refuseCutOff(rules: readonly Rule[], report: Report): void {
  for (const { category, action, fromSource, where, position } of rules) {
    const cuts = category === 'network' || category === 'dns' || category === 'capabilities';
    if (cuts && action !== 'Audit' && fromSource.length === 0)
      report.refuse(
        where,
        `found action ${action} without fromSource in a host policy; allowed: fromSource, or action Audit`,
        { position },
      );
  }
}
