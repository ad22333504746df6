import { hash } from 'node:crypto';

/**
 * The identifiers of traces and spans: the first bytes of SHA-256 over UTF-8 strings joined by one zero byte, in
 * lower-case hex. Agent and collector compute the same id from the same facts and need no shared state. An all-zero
 * result, which OTLP forbids, gets its last bit set.
 */
function hashed(bytes: number, parts: readonly string[]): string {
  const id = hash('sha256', parts.join('\0'), 'hex').slice(0, bytes * 2);
  return /[^0]/.test(id) ? id : `${id.slice(0, -1)}1`;
}

/** Names the root of a process tree: the topmost known ancestor inside the workload. `startNs`: since boot. */
export function root(bootId: string, hostPid: number, startNs: bigint): string {
  return `${bootId}:${hostPid}:${startNs}`;
}

/** The clock hour, since 1970, in which a trace lives. */
export function traceHour(eventSeconds: number): number {
  return Math.floor(eventSeconds / 3600);
}

/** 32 hex digits: one process tree in one workload within one clock hour. `containerId` is '' for the host. */
export function traceId(clusterUid: string, containerId: string, root: string, eventSeconds: number): string {
  return hashed(16, ['picket-trace-1', clusterUid, containerId, root, String(traceHour(eventSeconds))]);
}

/** 16 hex digits: the span of one process, the same in every trace it appears in. `startNs`: since boot. */
export function processSpanId(bootId: string, hostPid: number, startNs: bigint): string {
  return hashed(8, ['picket-process-1', bootId, String(hostPid), String(startNs)]);
}

/** 16 hex digits: the span of one alert. */
export function alertSpanId(alertId: string): string {
  return hashed(8, ['picket-alert-1', alertId]);
}
