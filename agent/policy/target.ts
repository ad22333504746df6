import { type Diagnostic, type DiagnosticCode, diagnose, subjectOf } from './diagnostic.ts';
import type { WorkloadRoot } from './links.ts';
import type { Policy, Rule } from './rule.ts';
import { programLinks } from './shared.ts';
import { rulePaths, type WorkloadSpellings } from './spelling.ts';

/** Workloads that are looked at for one policy, and findings that are told about it. */
const [maxLooks, maxFindings] = [64, 100];

/** The paths of a policy in a workload. */
interface Place<W> {
  workload: W;
  resolved: WorkloadSpellings;
}

/** Where roots of workloads are opened. */
interface RootsOf<W> {
  open(workload: W): WorkloadRoot | undefined;
}

/** Links to programs, found when somebody asks. */
const links = new WeakMap<WorkloadSpellings, ReadonlyMap<string, string[]>>();

/**
 * What is to be said now about the paths of a policy in the workloads that it covers (policy language, 6.2 and 20): those that
 * do not exist, and links to programs that have other names as well.
 */
export function targetDiagnostics<W>(policy: Policy, places: readonly Place<W>[], roots: RootsOf<W>): Diagnostic[] {
  const looked = [...new Map(places.map((place) => [place.resolved, place])).values()].slice(0, maxLooks);
  if (looked.every(({ resolved }) => resolved.missing.size === 0 && resolved.targets.size === 0)) return [];
  const subject = subjectOf(policy);
  const found: Diagnostic[] = [];
  let left = 0;
  const tell = (code: DiagnosticCode, rule: Rule, message: string): void => {
    if (found.length < maxFindings) found.push(diagnose(subject, code, rule.where, message, rule.position));
    else left++;
  };
  for (const rule of policy.rules)
    for (const path of new Set(rulePaths(rule))) {
      const missing = looked.filter(({ resolved }) => resolved.missing.has(path)).length;
      if (missing > 0) tell('TargetMissing', rule, missingMessage(path, missing, looked.length));
      const names = namesProgram(rule, path) ? otherNames(path, looked, roots) : [];
      if (names.length > 0) tell('SharedTarget', rule, sharedMessage(path, names));
    }
  if (left > 0) found.push(diagnose(subject, 'TargetMissing', 'spec', `${left} more findings are not listed`));
  return found;
}

/** Whether the path is that of a program: one that starts, or one that acts. */
function namesProgram({ category, object, fromSource }: Rule, path: string): boolean {
  if (category === 'process' && object.kind === 'path' && object.path === path) return true;
  return fromSource.some((source) => source.kind === 'path' && source.path === path);
}

/** The other links to the program that `path` is a link to, in the first workload where there are some. */
function otherNames<W>(path: string, places: readonly Place<W>[], roots: RootsOf<W>): string[] {
  for (const { workload, resolved } of places) {
    const target = resolved.targets.get(path);
    if (target === undefined) continue;
    let known = links.get(resolved);
    if (known === undefined) {
      using root = roots.open(workload);
      known = root ? programLinks(root, [...resolved.targets].flat()) : new Map<string, string[]>();
      links.set(resolved, known);
    }
    const own = new Set(resolved.spellings.get(path));
    const others = (known.get(target) ?? []).filter((name) => !own.has(name));
    if (others.length > 0) return [target, ...others];
  }
  return [];
}

function missingMessage(path: string, missing: number, looked: number): string {
  const where = looked === 1 ? 'the workload' : `${missing} of ${looked} workloads`;
  return `${path} does not exist in ${where} now; the rule holds as soon as it does`;
}

function sharedMessage(path: string, [target, ...others]: readonly string[]): string {
  const shown = others.slice(0, 5).join(', ');
  const more = others.length > 5 ? ` and ${others.length - 5} more` : '';
  return `${path} is a link to ${target}, as are ${shown}${more}: the rule holds for all of them`;
}
