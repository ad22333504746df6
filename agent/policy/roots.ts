import type { Workload, WorkloadRegistry } from '../workload/registry.ts';
import { openRoot, type ReadEntry, type WorkloadRoot } from './links.ts';
import type { Policy } from './rule.ts';
import { resolveSpellings, type WorkloadSpellings } from './spelling.ts';

/** Nothing is known to be a link, nothing to be missing. */
const unread: ReadEntry = () => ({ kind: 'other' });

/**
 * The root directories of workloads during one change of the rules: what it holds is read once, so close it soon. All local
 * workloads have the agent's own.
 */
export class Roots implements Disposable {
  readonly #registry: WorkloadRegistry;
  readonly #own = new Map<string, WorkloadSpellings>();
  readonly #unread = new Map<string, WorkloadSpellings>();
  #root: WorkloadRoot | undefined;

  constructor(registry: WorkloadRegistry) {
    this.#registry = registry;
  }

  /** Resolves all paths of the policies that cover the workload; `key` names these policies. */
  resolve(workload: Workload, policies: readonly Policy[], key: string): WorkloadSpellings {
    if (workload.hostMounts) {
      this.#root ??= openRoot('/');
      return remember(this.#own, key, policies, this.#root.read);
    }
    // Where nothing runs and no root is known: resolved when the first program starts.
    const at = rootOf(workload, this.#registry.rootPid(workload));
    try {
      if (at === undefined) return remember(this.#unread, key, policies, unread);
      using root = openRoot(at);
      return resolveSpellings(policies, root.read);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      return remember(this.#unread, key, policies, unread); // it ended just now, or its root is not there yet
    }
  }

  /** Opens the workload's root; undefined: there is none to be seen. */
  open(workload: Workload): WorkloadRoot | undefined {
    try {
      const at = rootOf(workload, this.#registry.rootPid(workload));
      return at === undefined ? undefined : openRoot(at);
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#root?.[Symbol.dispose]();
    this.#root = undefined;
  }
}

/** Where the root of a workload can be read; `pid`: of a process in it. */
export function rootOf({ hostMounts, record }: Workload, pid: number | undefined): string | undefined {
  if (hostMounts) return '/';
  return pid === undefined ? record.root : `/proc/${pid}/root`;
}

function remember(
  known: Map<string, WorkloadSpellings>,
  key: string,
  policies: readonly Policy[],
  read: ReadEntry,
): WorkloadSpellings {
  let found = known.get(key);
  if (found === undefined) {
    found = resolveSpellings(policies, read);
    known.set(key, found);
  }
  return found;
}
