import type { PolicyResult } from '../../agent/policy/enforcement.ts';
import type { Machine } from './container.ts';
import { findTarget, podsOf } from './pods.ts';
import type { Product } from './product.ts';
import type { Case } from './schema.ts';
import { openStage, type Stage } from './stage.ts';
import { runCommandStep } from './step.ts';

/** Runs one case from an empty stage to an empty stage; returns what went wrong, nothing when it passes. */
export async function runCase(given: Case, machine: Machine, product: Product): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const stage = stack.use(await openStage(machine, podsOf(given)));

  const { file, network, capabilities } = given.posture;
  await product.control('PUT', '/v1/settings', {
    defaultFilePosture: file,
    defaultNetworkPosture: network,
    defaultCapabilitiesPosture: capabilities,
  });
  stack.defer(() => unregister(stage, product));
  await register(stage, given, product);
  stack.defer(async () => {
    const policies = given.policies.map(({ metadata }) => ({ name: metadata.name }));
    await product.control('DELETE', '/v1/policies', { policies });
  });
  const { results } = await product.control<{ results: PolicyResult[] }>('PUT', '/v1/policies', {
    policies: given.policies,
  });

  for (const [i, step] of given.steps.entries()) {
    if (step.kind !== 'command') throw new Error(`${step.kind} steps are not carried out`);
    const target = findTarget(step.in, given.namespace);
    const faults = await runCommandStep(step, target, stage.find(target), machine, product);
    if (faults.length === 0) continue;
    const notes = results
      .filter(({ status }) => status !== 'Applied')
      .map((result) => `policy: ${JSON.stringify(result)}`);
    return [`step ${i + 1}, in ${step.in}: ${step.run ?? step.exec?.join(' ')}`, ...faults, ...notes];
  }
  return [];
}

async function register(stage: Stage, { annotations: { pods, namespaces } }: Case, product: Product): Promise<void> {
  for (const { pod, name, container } of stage.containers) {
    await product.control('PUT', '/v1/workloads', {
      cgroup: container.cgroup,
      containerId: container.id,
      namespace: pod.namespace,
      pod: pod.name,
      container: name,
      image: 'picket-fixture:latest',
      labels: pod.labels,
      annotations: pods?.[`${pod.namespace}/${pod.name}`] ?? pods?.[pod.name] ?? {},
      namespaceAnnotations: namespaces?.[pod.namespace] ?? {},
    });
  }
}

async function unregister(stage: Stage, product: Product): Promise<void> {
  for (const { container } of stage.containers) {
    await product.control('DELETE', '/v1/workloads', { containerId: container.id });
  }
}
