import type { Case, CommandStep } from './schema.ts';

/** A pod of the fixture, or one that a case starts. */
export interface Pod {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  containers: string[];
}

/** One container of a pod: what a step's `in` means. */
export interface Target {
  pod: Pod;
  container: string;
}

/** All pods there are for a case whose namespace is `namespace`; only those that it names are started. */
function fixturePods(namespace: string): Pod[] {
  const ubuntu = [1, 2, 3, 4, 5].map((n) => ({
    namespace,
    name: `ubuntu-${n}`,
    labels: { container: `ubuntu-${n}`, group: n <= 3 ? 'group-1' : 'group-2' },
    containers: [`ubuntu-${n}`],
  }));
  const apps = (within: string, names: string[]) =>
    names.map((name) => ({ namespace: within, name, labels: { app: name }, containers: [name] }));
  return [
    ...ubuntu,
    ...apps('wordpress-mysql', ['wordpress', 'mysql']),
    ...apps('nginx1', ['nginx', 'debian']),
    ...apps('nginx2', ['nginx']),
    {
      namespace: 'multicontainer',
      name: 'multicontainer',
      labels: { container: 'multicontainer' },
      containers: ['container-1', 'container-2'],
    },
  ];
}

/** The container that `POD`, `NAMESPACE/POD` or `NAMESPACE/POD/CONTAINER` names; throws when there is none. */
export function findTarget(name: string, namespace: string, started: Pod[] = []): Target {
  const parts = name.split('/');
  const [within, podName, containerName] = parts.length === 1 ? [namespace, name] : parts;
  const pod = [...fixturePods(namespace), ...started].find((pod) => pod.namespace === within && pod.name === podName);
  const container = containerName ?? pod?.containers[0];
  if (!pod || !container || !pod.containers.includes(container)) throw new Error(`no container ${name} in the fixture`);
  return { pod, container };
}

/** The pods that the steps of a case act in, each once. */
export function podsOf({ steps, namespace }: Pick<Case, 'steps' | 'namespace'>): Pod[] {
  const named = steps
    .filter((step): step is { kind: 'command' } & CommandStep => step.kind === 'command' && step.in !== 'host')
    .map((step) => findTarget(step.in, namespace).pod);
  return [...new Map(named.map((pod) => [`${pod.namespace}/${pod.name}`, pod])).values()];
}
