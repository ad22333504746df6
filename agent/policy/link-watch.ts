import type { Workload } from '../workload/registry.ts';
import { openRoot } from './links.ts';
import type { Plan } from './plan.ts';
import { rootOf } from './roots.ts';
import type { WorkloadSpellings } from './spelling.ts';

/** What the watch needs of the rules in force. */
export interface Watched {
  readonly plans: Iterable<Plan>;
  refresh(workloads: readonly Workload[]): unknown;
}

/** Finds a process through which a workload's root can be reached. */
export type FindRootPid = (workload: Workload) => number | undefined;

/** Time that one round may take; what is left is looked at in the next. */
const roundMs = 50;

/**
 * Looks now and then whether a link that was followed to spell a rule is another one, or something that was missing is there
 * (policy language, 6.2), and has the rules of these workloads resolved again. Twice a second a round; of some thousand
 * workloads a round takes as many as it has time for.
 */
export class LinkWatch {
  readonly #rules: Watched;
  readonly #rootPid: FindRootPid;
  readonly #now: () => number;
  #waiting: Plan[] = [];
  #notBefore = 0;

  /** `now` tells milliseconds. */
  constructor(rules: Watched, rootPid: FindRootPid, now: () => number = () => performance.now()) {
    this.#rules = rules;
    this.#rootPid = rootPid;
    this.#now = now;
  }

  /** One round. Returns the workloads whose rules were resolved again. */
  check(): Workload[] {
    const until = this.#now() + roundMs;
    if (this.#now() < this.#notBefore) return [];
    if (this.#waiting.length === 0)
      this.#waiting = [...this.#rules.plans].filter(({ resolved }) => isWorthALook(resolved));
    const changed: Workload[] = [];
    const own = new Map<WorkloadSpellings, boolean>();
    while (this.#waiting.length > 0 && this.#now() < until) {
      const plan = this.#waiting.pop() as Plan;
      const { workload, resolved } = plan;
      let isSame = workload.hostMounts ? own.get(resolved) : undefined;
      isSame ??= this.#look(workload, resolved);
      if (workload.hostMounts) own.set(resolved, isSame);
      if (!isSame) changed.push(workload);
    }
    if (changed.length > 0) {
      const began = this.#now();
      this.#rules.refresh(changed);
      // A workload that changes its links all the time costs a tenth of our time, not all of it.
      this.#notBefore = this.#now() + 9 * (this.#now() - began);
    }
    return changed;
  }

  /** Whether everything is as it was. */
  #look(workload: Workload, resolved: WorkloadSpellings): boolean {
    const at = rootOf(workload, workload.rootPid);
    if (at === undefined) return true; // nothing was resolved, and nothing runs
    try {
      return isAsItWas(resolved, at);
    } catch {
      // The process has ended, or the root is not there. Without another there is nothing to see, and what was resolved holds on.
      return workload.rootPid === undefined || this.#rootPid(workload) === undefined;
    }
  }
}

function isWorthALook({ links, absent }: WorkloadSpellings): boolean {
  return links.length > 0 || absent.size > 0;
}

/** @throws the system's error when the root cannot be opened */
function isAsItWas({ links, absent }: WorkloadSpellings, at: string): boolean {
  using root = openRoot(at);
  for (const { path, target } of links) {
    const entry = root.read(path);
    if (entry.kind !== 'link' || entry.target !== target) return false;
  }
  for (const path of absent) if (root.read(path).kind !== 'missing') return false;
  return true;
}
