import { limits } from '../abi.gen.ts';
import type { Backend } from '../kernel/feature.ts';
import { type Diagnostic, diagnose, subjectOf } from './diagnostic.ts';
import { depthOf } from './path.ts';
import type { Report } from './report.ts';
import type { Policy, Rule } from './rule.ts';
import { rulePaths } from './spelling.ts';

/** Names in a path that the walk in the kernel reaches; one of its steps is spent on the root. */
export const maxDepth = limits.MAX_COMPONENTS - 1;

/**
 * Refuses the policy (LoadFailed) for every part that this version does not enforce: half a policy in force would look like
 * protection. Shrinks as the kernel side grows; nothing else knows about gaps.
 */
export function refuseUncovered(policy: Policy, report: Report): void {
  const refuse = (field: string, what: string, rule?: Pick<Rule, 'position'>): void =>
    report.refuse(field, `this version does not enforce ${what}; the policy is not loaded`, {
      code: 'LoadFailed',
      position: rule?.position,
    });

  for (const rule of policy.rules) {
    const { where } = rule;
    if (rulePaths(rule).some((path) => depthOf(path) > maxDepth))
      refuse(where, `paths of more than ${maxDepth} components`, rule);
  }
}

const categoryGaps = [
  [
    'file',
    'the tracepoint backend judges opens, and afterwards changes of names and attributes: they have happened when the process that made them is killed, one that has ended by then is only reported, and the owner of what was removed is not known; writing through an open descriptor and binding local sockets are not judged',
  ],
  [
    'network',
    'the tracepoint backend judges that internet sockets are made, and bind, connect and messages of TCP and UDP; listen, accept, other use of raw sockets and other families, such as packet, are not judged',
  ],
  ['capabilities', 'the tracepoint backend does not judge the use of capabilities'],
] as const;

const ofNode =
  "the tracepoint backend judges sockets and DNS questions in the cgroups of workloads alone; those of the node's own tasks are not judged";

/** What the rules of a policy that is loaded do not reach with a backend: a reader would take "Block" for all that opens are not. */
export function gapsOf(policy: Policy, backend: Backend): Diagnostic[] {
  if (backend === 'lsm') return [];
  const { rules, presets } = policy;
  const subject = subjectOf(policy);
  const gaps: Diagnostic[] = [];
  const add = (field: string, message: string, { position }: Pick<Rule, 'position'>): void => {
    gaps.push(diagnose(subject, 'NotCovered', field, message, position));
  };
  // It stands where the first rule of the category does.
  for (const [category, message] of categoryGaps) {
    const rule = rules.find((each) => each.category === category);
    if (rule) add(`spec.${category}`, message, rule);
  }
  const socket = rules.find(({ category }) => category === 'network' || category === 'dns');
  if (policy.kind === 'KubeArmorHostPolicy' && socket) add('spec.network', ofNode, socket);
  for (const preset of presets)
    if (onFiles.has(preset.name)) add(preset.where, `the tracepoint backend does not carry out ${preset.name}`, preset);
  return gaps;
}

/** Presets that LSM hooks about files carry out. */
const onFiles: ReadonlySet<string> = new Set(['anonymousMapExec', 'protectEnv', 'protectProc']);
