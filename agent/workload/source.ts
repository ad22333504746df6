import type { Diagnostic } from '../policy/diagnostic.ts';
import type { WorkloadRecord } from './workload.ts';

/** What a source tells: a workload is there, is described anew, or is gone. */
export type WorkloadChange =
  | { kind: 'added' | 'changed'; record: WorkloadRecord }
  | { kind: 'removed'; containerId: string };

/** The change is in force. */
export interface ChangeResult {
  /** Id of the workload on this agent, never used again. */
  id: string;
  /** Generation of its rule set; 0 after a removal. */
  generation: number;
  diagnostics: readonly Diagnostic[];
}

/** Takes one change over. @throws AgentError `workload`, KernelError: then everything is as it was before */
export type TakeChange = (change: WorkloadChange) => ChangeResult;

/** Where workloads come from: the control socket, later Kubernetes. Sources know nothing of each other. */
export interface WorkloadSource {
  readonly name: string;
  /** Yields changes to `take`, one after the other, until `signal` aborts; resolves then. */
  watch(take: TakeChange, signal: AbortSignal): Promise<void>;
}
