import type { Case, CommandStep, Step } from './schema.ts';

type StartStep = Extract<Step, { kind: 'start' }>;

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
export function findTarget(name: string, namespace: string, started: readonly Pod[] = []): Target {
  const parts = name.split('/');
  const [within, podName, containerName] = parts.length === 1 ? [namespace, name] : parts;
  const pod = [...fixturePods(namespace), ...started].find((pod) => pod.namespace === within && pod.name === podName);
  const container = containerName ?? pod?.containers[0];
  if (!pod || !container || !pod.containers.includes(container)) throw new Error(`no container ${name} in the fixture`);
  return { pod, container };
}

/** The pods that a case starts by itself, in the order of its steps. */
export function startedPods({ steps }: Pick<Case, 'steps'>): Pod[] {
  return steps.flatMap((step) => (step.kind === 'start' ? [podOf(step.start)] : []));
}

/** The pod that a start step describes. */
export function podOf({ namespace, pod, labels, containers }: StartStep['start']): Pod {
  return { namespace, name: pod, labels, containers };
}

/** The pods of the fixture that the steps of a case act in, each once. */
export function podsOf({ steps, namespace }: Pick<Case, 'steps' | 'namespace'>): Pod[] {
  const started = startedPods({ steps });
  const named = steps
    .filter((step): step is { kind: 'command' } & CommandStep => step.kind === 'command' && step.in !== 'host')
    .map((step) => findTarget(step.in, namespace, started).pod);
  const there = named.filter((pod) => !started.includes(pod));
  return [...new Map(there.map((pod) => [`${pod.namespace}/${pod.name}`, pod])).values()];
}
