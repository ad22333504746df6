import { normalise } from '../../../agent/policy/normalise.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { Report } from '../../../agent/policy/report.ts';
import { type Policy, policyKinds } from '../../../agent/policy/rule.ts';
import { type PolicyObject, policySchemas } from '../../../agent/policy/schema.ts';
import { type WorkloadRecord, workloadSchema } from '../../../agent/workload/workload.ts';

export const apiVersion = 'security.kubearmor.com/v1';

/** A KubeArmorPolicy `demo/p` with this spec. */
export function ksp(spec: unknown, metadata: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion, kind: 'KubeArmorPolicy', metadata: { name: 'p', namespace: 'demo', ...metadata }, spec };
}

export function csp(spec: unknown, metadata: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion, kind: 'KubeArmorClusterPolicy', metadata: { name: 'p', ...metadata }, spec };
}

export function hsp(spec: unknown, metadata: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion, kind: 'KubeArmorHostPolicy', metadata: { name: 'p', ...metadata }, spec };
}

/** Reads a good object, also of what the kernel side does not enforce yet. */
export function understood(object: Record<string, unknown>): Policy {
  const kind = policyKinds.find((known) => known === object.kind);
  if (kind === undefined) throw new Error(`no policy: ${JSON.stringify(object)}`);
  const data = policySchemas[kind].parse(object) as PolicyObject;
  return normalise(data, new Report({}, () => undefined));
}

/** Reads an object that must be accepted. */
export function accepted(object: unknown): Policy {
  const { policy, diagnostics } = parsePolicyObject(object);
  if (!policy) throw new Error(`not accepted: ${JSON.stringify(diagnostics)}`);
  return policy;
}

export function workload(fields: Partial<WorkloadRecord> = {}): WorkloadRecord {
  return workloadSchema.parse({
    cgroup: '/sys/fs/cgroup/demo',
    containerId: 'c0ffee',
    namespace: 'demo',
    pod: 'sample',
    container: 'sample',
    ...fields,
  });
}
