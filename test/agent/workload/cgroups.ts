import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroup2Mount } from '../../../agent/workload/cgroup.ts';

/** What is missing for cgroups of a test's own, or undefined. */
export const missingForCgroups =
  process.platform !== 'linux'
    ? 'Linux'
    : process.getuid?.() !== 0
      ? 'root'
      : cgroup2Mount() === undefined
        ? 'a cgroup v2 mount'
        : undefined;

let made = 0;

/** A cgroup v2 directory of this test alone; disposing removes it and those below it, which must be empty of processes. */
export function makeCgroup(): Disposable & { path: string } {
  const path = join(cgroup2Mount() ?? '', `picket-test-${process.pid}-${++made}`);
  mkdirSync(path);
  return { path, [Symbol.dispose]: () => removeTree(path) };
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}
