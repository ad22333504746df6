import { join } from 'node:path';
import { type Container, FirstProgramRefused, type Machine, type Prepared, startContainer } from './container.ts';
import type { Pod, Target } from './pods.ts';
import { startServices } from './services.ts';

/** A container on the stage, and whose it is. */
export interface Actor {
  pod: Pod;
  name: string;
  container: Container;
}

/** A container in which nothing runs yet. */
export type Announced = Omit<Actor, 'container'> & { container: Prepared };

/** The running containers of one case. */
export interface Stage extends AsyncDisposable {
  readonly actors: readonly Actor[];
  /** Starts one more pod; `announce` is called before anything runs in a container of it. */
  start(pod: Pod, announce: (announced: Announced) => Promise<void>): Promise<void>;
  find(target: Target): Container;
}

/**
 * Programs that do nothing for ever, the best one first: a pod that starts under policies may be refused one of them, as the
 * shell's `sleep` is by many. What a program needs besides itself and its libraries counts: tail looks at its file again and
 * again.
 */
const IDLE = [
  ['/usr/bin/sleep', 'infinity'],
  ['/usr/bin/tail', '-f', '/dev/null'],
  ['/usr/bin/python3', '-c', 'import signal; signal.pause()'],
] as const;

/** Starts pods side by side: each with a network namespace and services of its own, its containers one after the other. */
export async function openStage(machine: Machine, pods: Pod[]): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const actors: Actor[] = [];
  const start = async (pod: Pod, announce?: (announced: Announced) => Promise<void>): Promise<void> => {
    let networkNamespace: string | undefined;
    for (const name of pod.containers) {
      const container = await startIdle(machine, {
        hostname: pod.name,
        networkNamespace,
        announce: announce && ((announced) => announce({ pod, name, container: announced })),
      });
      owned.use(container);
      actors.push({ pod, name, container });
      if (networkNamespace) continue;
      networkNamespace = `/proc/${container.pid}/ns/net`;
      owned.use(await startServices(container.pid, join(container.directory, 'services.log')));
    }
  };
  // Pods start later, too, and go with the others
  const owned = stack.use(new AsyncDisposableStack());
  const results = await Promise.allSettled(pods.map((pod) => start(pod)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const all = stack.move();
  return {
    actors,
    start,
    find({ pod, container: name }) {
      const found = actors.find((a) => a.name === name && a.pod.name === pod.name && a.pod.namespace === pod.namespace);
      if (!found) throw new Error(`${pod.namespace}/${pod.name}/${name} was not started`);
      return found.container;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

type Options = Omit<Parameters<typeof startContainer>[1], 'idle'>;

async function startIdle(machine: Machine, options: Options): Promise<Container> {
  const refusals: string[] = [];
  for (const idle of IDLE) {
    try {
      return await startContainer(machine, { ...options, idle });
    } catch (error) {
      if (!(error instanceof FirstProgramRefused)) throw error;
      refusals.push(error.message);
    }
  }
  throw new Error(`no program that could wait may start in ${options.hostname}: ${refusals.join('; ')}`);
}
