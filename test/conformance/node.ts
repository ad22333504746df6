import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENTRIES } from '../image/fixture.ts';
import { makeCgroup, removeCgroup } from './cgroup.ts';
import type { Machine } from './container.ts';

/** The only folder of the node that host policies of cases touch. */
const FOLDER = '/opt/picket-host';

/** The node itself, for commands outside every workload: whatever a case did to it is gone with it. */
export interface Node extends AsyncDisposable {
  /** Of the commands and what they leave in the background. */
  readonly cgroup: string;
}

/** Whether the machine itself may be acted on: guests of test/kernel, never a developer's own machine. */
export function isGuest(commandLine = readFileSync('/proc/cmdline', 'utf8')): boolean {
  return /(^|\s)picket\.runner=/.test(commandLine);
}

/** Fills the folder with copies of this machine's programs. */
export function openNode({ cgroups, cgroupParent }: Machine): Node {
  if (!isGuest()) throw new Error('commands of cases never run on the machine itself, only on a guest');
  rmSync(FOLDER, { recursive: true, force: true });
  for (const { path, mode, content } of ENTRIES.filter((entry) => `${entry.path}/`.startsWith(`${FOLDER}/`))) {
    if (content === 'directory') mkdirSync(path, { recursive: true });
    else if ('text' in content) writeFileSync(path, content.text);
    else if ('copyOf' in content) copyFileSync(content.copyOf, path);
    chmodSync(path, mode);
  }
  const cgroup = makeCgroup(cgroups, `${cgroupParent}/node`);
  return {
    cgroup,
    async [Symbol.asyncDispose]() {
      writeFileSync(join(cgroup, 'cgroup.kill'), '1');
      while (readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') !== '') await sleep(5);
      removeCgroup(cgroup);
      rmSync(FOLDER, { recursive: true, force: true });
    },
  };
}
