import type { Alert } from '../../otel/alert.ts';
import { Briefing, PREPARATION_LIMIT_MS } from './briefing.ts';
import { carryOut } from './change.ts';
import type { Machine } from './container.ts';
import { type Node, openNode } from './node.ts';
import { findTarget, startedPods } from './pods.ts';
import type { Product } from './product.ts';
import type { Case, Step } from './schema.ts';
import { runInContainer, runOnMachine } from './session.ts';
import type { Stage } from './stage.ts';
import { type Place, runCommandStep } from './step.ts';
import { usesNode } from './support.ts';

/** Runs one case on its own stage, with an agent that knows nothing before and after; returns what went wrong, nothing when it passes. */
export async function runCase(given: Case, stage: Stage, machine: Machine, product: Product): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const node = usesNode(given) ? stack.use(openNode(machine)) : undefined;
  const briefing = stack.use(new Briefing(product));
  await briefing.begin(given);
  for (const actor of stage.actors) await briefing.register(actor);
  await briefing.apply(given.policies, PREPARATION_LIMIT_MS);

  const observed = { ...product, diagnostics: () => briefing.diagnostics() };
  for (const [i, step] of given.steps.entries()) {
    const faults =
      step.kind === 'command'
        ? await runCommandStep(step, placeOf(step.in, { given, stage, machine, node }), observed)
        : await carryOut(step, briefing, stage).then(
            () => [],
            (error: Error) => [error.message],
          );
    if (faults.length === 0) continue;
    const notes = (await briefing.policies())
      .filter(({ status }) => status !== 'Applied')
      .map((result) => `policy: ${JSON.stringify(result)}`);
    return [`step ${i + 1}, ${nameOf(step)}`, ...faults, ...notes];
  }
  return [];
}

interface Scene {
  given: Case;
  stage: Stage;
  machine: Machine;
  node: Node | undefined;
}

function placeOf(name: string, { given, stage, machine, node }: Scene): Place {
  if (name === 'host')
    return {
      run: (command) => runOnMachine(machine, (node as Node).cgroup, command),
      owns: (alert) => alert.PodName === undefined,
    };
  const target = findTarget(name, given.namespace, startedPods(given));
  const container = stage.find(target);
  const { pod } = target;
  return {
    run: (command) => runInContainer(machine, container, command),
    owns: ({ NamespaceName, PodName, ContainerName }: Alert) =>
      NamespaceName === pod.namespace && PodName === pod.name && ContainerName === target.container,
  };
}

function nameOf(step: Step): string {
  if (step.kind === 'command') return `in ${step.in}: ${step.run ?? step.exec?.join(' ')}`;
  return step.kind === 'delete' ? `delete ${step.delete.join(', ')}` : step.kind;
}
