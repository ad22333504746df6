import type { WorkloadRecord } from './workload.ts';

/** The key of the node's name among its labels, as Kubernetes sets it. */
export const hostNameLabel = 'kubernetes.io/hostname';

/**
 * The node as a workload: all tasks that are in no container. Host policies cover it, and nothing else does. It has no
 * container, pod or namespace, and its cgroup is none of its own.
 */
export function hostRecord(hostName: string, labels: Readonly<Record<string, string>>): WorkloadRecord {
  return {
    cgroup: '/',
    containerId: '',
    namespace: '',
    pod: '',
    container: '',
    labels: { [hostNameLabel]: hostName, ...labels },
    annotations: {},
    namespaceAnnotations: {},
    hostMounts: true,
    host: true,
  };
}
