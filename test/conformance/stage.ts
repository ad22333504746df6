import { join } from 'node:path';
import { type Container, type Machine, startContainer } from './container.ts';
import type { Pod, Target } from './pods.ts';
import { startServices } from './services.ts';

/** The running containers of one case. */
export interface Stage extends AsyncDisposable {
  readonly containers: readonly { pod: Pod; name: string; container: Container }[];
  find(target: Target): Container;
}

/** Starts pods side by side: each with a network namespace and services of its own, its containers one after the other. */
export async function openStage(machine: Machine, pods: Pod[]): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const containers: Stage['containers'][number][] = [];
  const results = await Promise.allSettled(
    pods.map(async (pod) => {
      let network: string | undefined;
      for (const name of pod.containers) {
        const container = await startContainer(machine, pod.name, network);
        stack.use(container);
        containers.push({ pod, name, container });
        if (network) continue;
        network = `/proc/${container.pid}/ns/net`;
        stack.use(await startServices(container.pid, join(container.directory, 'services.log')));
      }
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const owned = stack.move();
  return {
    containers,
    find({ pod, container: name }) {
      const found = containers.find(
        (c) => c.name === name && c.pod.name === pod.name && c.pod.namespace === pod.namespace,
      );
      if (!found) throw new Error(`${pod.namespace}/${pod.name}/${name} was not started`);
      return found.container;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
