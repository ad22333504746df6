import { type Child, startChild } from '../kernel/child.ts';
import { program } from './program.ts';

/** Starts the three services in the network namespace of a container's first process; they belong to no workload. */
export async function startServices(pid: number, log: string): Promise<Child> {
  return startChild(await program('services'), [String(pid)], { log, ready: 'ready' });
}
