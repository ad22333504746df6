import { join } from 'node:path';
import { compiled } from '../image/compile.ts';
import { type Child, startChild } from '../kernel/child.ts';

/** Starts the three services in the network namespace of a container's first process; they belong to no workload. */
export async function startServices(pid: number, log: string): Promise<Child> {
  return startChild(await compiled(join(import.meta.dirname, 'services.c')), [String(pid)], { log, ready: 'ready' });
}
