import { hostNameLabel } from '../workload/host.ts';
import type { WorkloadRecord } from '../workload/workload.ts';
import type { Policy } from './rule.ts';
import type { Settings } from './settings.ts';

/** One `matchExpressions` entry; values of `label` are `key=value`, of `namespace` names. */
export interface SelectorExpression {
  key: 'label' | 'namespace';
  operator: 'In' | 'NotIn';
  values: readonly string[];
}

/** Whom a policy covers: pods (and of these the named containers, all when none is named) or nodes. */
export type Selector =
  | {
      kind: 'pods';
      labels: ReadonlyMap<string, string>;
      containers: readonly string[];
      expressions: readonly SelectorExpression[];
    }
  | { kind: 'nodes'; labels: ReadonlyMap<string, string> };

/** The key under matchLabels that names containers, and is no label of a pod. */
export const containerNameKey = 'kubearmor.io/container.name';

/** Labels that controllers put on pods; they change with each roll-out and take no part in selection. */
const controllerLabels: ReadonlySet<string> = new Set([
  'pod-template-hash',
  'pod-template-generation',
  'controller-revision-hash',
]);

/** `[a,b]` → a and b: first and last character removed, split at commas, blanks trimmed, empty entries dropped. */
export function containerNames(value: string): string[] {
  return value
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Whether the policy's rules are in force on the workload (selectors, and the namespaces that are left alone). */
export function appliesTo(policy: Policy, workload: WorkloadRecord, settings: Settings): boolean {
  const { selector } = policy;
  if (selector.kind === 'nodes') return workload.host === true && coversNode(selector.labels, workload);
  if (workload.host) return false;
  if (settings.untrackedNs.includes(workload.namespace)) return false;
  if (policy.kind === 'KubeArmorPolicy' && policy.namespace !== workload.namespace) return false;
  if (selector.containers.length > 0 && !selector.containers.includes(workload.container)) return false;
  for (const [key, value] of selector.labels) if (!carries(workload, key, value)) return false;
  return selector.expressions.every((expression) => holds(expression, workload));
}

const hostNameKeys: ReadonlySet<string> = new Set([hostNameLabel, 'kubearmor.io/hostname']);
const hostPatternKeys: ReadonlySet<string> = new Set(['kubernetes.io/hostnamereg', 'kubearmor.io/hostnamereg']);

/** nodeSelector.matchLabels (policy language, 4.3): two keys take a name, `*` or a list, two a name with `*` in it. */
function coversNode(labels: ReadonlyMap<string, string>, { labels: node }: WorkloadRecord): boolean {
  const hostName = node[hostNameLabel] ?? '';
  return [...labels].every(([key, value]) => {
    if (hostNameKeys.has(key)) return value.split(',').some((name) => name.trim() === '*' || name.trim() === hostName);
    if (hostPatternKeys.has(key)) return matchesName(value.split('*'), hostName);
    return Object.hasOwn(node, key) && node[key] === value;
  });
}

/** Whether `name` is the parts, in order, with anything between them. */
function matchesName(parts: readonly string[], name: string): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

function holds({ key, operator, values }: SelectorExpression, workload: WorkloadRecord): boolean {
  const found = values.some((value) => {
    if (key === 'namespace') return value === workload.namespace;
    const equals = value.indexOf('=');
    return carries(workload, value.slice(0, equals), value.slice(equals + 1));
  });
  return operator === 'In' ? found : !found;
}

function carries(workload: WorkloadRecord, key: string, value: string): boolean {
  return !controllerLabels.has(key) && Object.hasOwn(workload.labels, key) && workload.labels[key] === value;
}
