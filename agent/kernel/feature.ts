import type { Facts } from './facts.ts';
import {
  judgeAttempt,
  judgeBpffs,
  judgeCgroup,
  judgeKernel,
  judgeLibbpf,
  judgeLockdown,
  judgeLsm,
  judgeRights,
  judgeSystem,
  judgeTypes,
} from './requirement.ts';

/** How Picket acts: `lsm` refuses an operation before it happens, `tracepoint` kills the process that did it. */
export type Backend = 'lsm' | 'tracepoint';

export const featureNames = [
  'system',
  'kernel',
  'rights',
  'libbpf',
  'kernel types',
  'cgroup v2',
  'lockdown',
  'ring buffer',
  'task storage',
  'raw tracepoints',
  'BPF LSM',
  'bpffs',
] as const;
export type FeatureName = (typeof featureNames)[number];

export interface Feature {
  feature: FeatureName;
  ok: boolean;
  /** False when something else has to be there first. */
  tried: boolean;
  /** Without a required one there is no backend. BPF LSM is none: raw tracepoints stand in for it. */
  required: boolean;
  /** What is there. */
  found: string;
  /** What follows from its absence; empty when ok. */
  means: string;
  /** What to do next; empty when ok. */
  todo: string;
}

export interface Report {
  backend: Backend | null;
  /** One sentence. */
  reason: string;
  features: Feature[];
}

/**
 * Judges what a machine offers: every feature with what its absence means and what to do, and the backend that follows. Pure.
 *
 * @param only considers this backend alone, for whoever asks for one by configuration
 */
export function judge(facts: Facts, only?: Backend): Report {
  const features = [
    judgeSystem(facts),
    judgeKernel(facts),
    judgeRights(facts),
    judgeLibbpf(facts),
    judgeTypes(facts),
    judgeCgroup(facts),
    judgeLockdown(facts),
    judgeAttempt('ring buffer', true, facts.ring, 'events cannot leave the kernel', facts.uid),
    judgeAttempt(
      'task storage',
      true,
      facts.taskStorage,
      'a task cannot keep the workload that it belongs to',
      facts.uid,
    ),
    judgeAttempt('raw tracepoints', true, facts.tracepoint, 'processes cannot be followed', facts.uid),
    judgeLsm(facts),
    judgeBpffs(facts),
  ];
  return { ...chooseBackend(features, only), features };
}

function chooseBackend(features: readonly Feature[], only: Backend | undefined): Pick<Report, 'backend' | 'reason'> {
  const missing = features.find((feature) => feature.required && !feature.ok);
  if (missing !== undefined)
    return {
      backend: null,
      reason: `Picket cannot work here: ${missing.feature}: ${missing.found}; ${missing.means}.`,
    };
  const lsm = features.find((feature) => feature.feature === 'BPF LSM');
  if (lsm?.ok && only !== 'tracepoint')
    return {
      backend: 'lsm',
      reason: 'Programs on LSM hooks load, attach and run, so what a rule forbids never happens.',
    };
  if (only === 'lsm') return { backend: null, reason: `The backend lsm was asked for, but BPF LSM: ${lsm?.found}.` };
  if (only === 'tracepoint')
    return { backend: 'tracepoint', reason: 'The backend tracepoint was asked for, and raw tracepoints work.' };
  return {
    backend: 'tracepoint',
    reason: `Raw tracepoints work, BPF LSM does not (${lsm?.found}), so Block is carried out by SIGKILL.`,
  };
}
