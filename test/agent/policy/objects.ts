import { parsePolicyObject } from '../../../agent/policy/read.ts';
import type { Policy } from '../../../agent/policy/rule.ts';
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
