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
    const pid = this.#registry.rootPid(workload);
    // Nothing runs there: resolved when its first program starts.
    if (pid === undefined) return remember(this.#unread, key, policies, unread);
    try {
      using root = openRoot(`/proc/${pid}/root`);
      return resolveSpellings(policies, root.read);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return remember(this.#unread, key, policies, unread); // it ended just now
    }
  }

  /** Opens the workload's root; undefined: nothing runs there. */
  open(workload: Workload): WorkloadRoot | undefined {
    const pid = workload.hostMounts ? undefined : this.#registry.rootPid(workload);
    if (!workload.hostMounts && pid === undefined) return undefined;
    try {
      return openRoot(pid === undefined ? '/' : `/proc/${pid}/root`);
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#root?.[Symbol.dispose]();
    this.#root = undefined;
  }
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
