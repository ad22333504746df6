import { limits } from '../abi.gen.ts';
import { type Diagnostic, diagnose } from './diagnostic.ts';
import { depthOf } from './path.ts';
import type { Report } from './report.ts';
import type { Category, Policy, Rule, RuleObject } from './rule.ts';

/**
 * What the kernel side does not enforce yet. A policy that uses any of it is refused as a whole: half a policy in force
 * would look like protection. Shrink these tables as the kernel side grows; nothing else knows about gaps.
 */
const uncoveredCategories: Partial<Record<Category, string>> = {
  network: 'network rules',
  dns: 'DNS rules',
  capabilities: 'capability rules',
};

const uncoveredObjects: Partial<Record<RuleObject['kind'], string>> = {
  glob: 'matchPatterns',
  execname: 'execname',
};

/** Numbers of the system calls that rules may name now, by `process.arch`. */
const coveredSyscalls: Readonly<Record<string, ReadonlyMap<string, number>>> = {
  x64: new Map([
    ['rmdir', 84],
    ['unlink', 87],
    ['unlinkat', 263],
  ]),
  arm64: new Map([['unlinkat', 35]]),
};

/** Names in a path that the walk in the kernel reaches; one of its steps is spent on the root. */
export const maxDepth = limits.MAX_COMPONENTS - 1;

/** Number of a covered system call on the architecture; undefined when no rule may name it yet. */
export function syscallNumber(name: string, architecture: string = process.arch): number | undefined {
  return coveredSyscalls[architecture]?.get(name);
}

/** Refuses the policy (LoadFailed) for every part that this version does not enforce. */
export function refuseUncovered(policy: Policy, report: Report, architecture: string = process.arch): void {
  const refuse = (field: string, what: string, rule?: Pick<Rule, 'position'>): void =>
    report.refuse(field, `this version does not enforce ${what}; the policy is not loaded`, {
      code: 'LoadFailed',
      position: rule?.position,
    });

  for (const preset of policy.presets) refuse(preset.where, `the preset ${preset.name}`, preset);
  for (const rule of policy.rules) {
    const { object, where } = rule;
    const uncovered = uncoveredCategories[rule.category] ?? uncoveredObjects[object.kind];
    if (uncovered !== undefined) refuse(where, uncovered, rule);
    if (rule.fromSource.length > 0) refuse(`${where}.fromSource`, 'fromSource', rule);
    if (rule.qualifiers.allowedArgs) refuse(`${where}.allowedArgs`, 'allowedArgs', rule);
    if (object.kind === 'syscall')
      for (const name of object.names)
        if (syscallNumber(name, architecture) === undefined)
          refuse(`${where}.syscall`, `rules on the system call ${name}`, rule);
    const path = object.kind === 'syscall' ? object.target?.path : 'path' in object ? object.path : undefined;
    if (path !== undefined && depthOf(path) > maxDepth)
      refuse(where, `paths of more than ${maxDepth} components`, rule);
  }
}

/** What the rules of a policy that is loaded do not reach yet: a reader would take "Block" for all that opens are not. */
export function gapsOf({ kind, namespace, name, rules }: Policy): Diagnostic[] {
  if (!rules.some((rule) => rule.category === 'file')) return [];
  const message =
    'this version judges opens; writing through an open descriptor, creating, removing, linking, renaming and changing attributes are not judged';
  return [diagnose({ policy: name, kind, ...(namespace !== '' && { namespace }) }, 'NotCovered', 'spec.file', message)];
}
