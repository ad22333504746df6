/** What the agent knows about an alert beyond the alert itself. */
export interface AlertContext {
  /** When the event arrived in the agent, Unix nanoseconds. */
  observedNs: bigint;
  podUid?: string;
  kernelRelease: string;
  bootId: string;
  /** What the call returned: 0 when it passed, else the error (13 EACCES, 1 EPERM, …). */
  errno: number;
  /** The span of the acting process, parent of the alert's span; '' when no process stands behind the alert. */
  processSpanId: string;
  /** The trace of the same root in the hour before, when the root alerted there too. */
  previousTraceId?: string;
  /** The span of the tree's root: what the link to the previous trace points at. Without it the acting process. */
  rootSpanId?: string;
  /** Carry the alert's JSON as `log.record.original` too; it doubles the size. */
  original?: boolean;
}
