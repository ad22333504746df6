import type { Emission } from '../../../agent/export/exporter.ts';
import type { VerdictAlert } from '../../../otel/alert.ts';
import { processSpan } from '../../../otel/mapping/mapping.ts';
import { unlinkAlert } from '../../otel/sample-alerts.ts';

/** The sample alert with another number, and what else is said, with the span of its process. */
export function emissionOf(seq: number, change: Partial<VerdictAlert> = {}): Emission {
  const alert = { ...unlinkAlert, ...change, Picket: { ...unlinkAlert.Picket, Seq: seq } };
  const spanId = 'fe53e2bce12ff43b';
  return {
    alert,
    context: { observedNs: 1n, kernelRelease: '6.1.0', bootId: 'boot', errno: 0, processSpanId: spanId },
    processSpans: [
      processSpan({
        ...{
          pid: alert.HostPID,
          vpid: alert.PID,
          startNs: 5n,
          startUnixNs: 1_661_936_000_000_000_000n,
          uid: 0,
          spanId,
        },
        ...{ executable: alert.ProcessName, commandLine: alert.Source, traceId: alert.Picket.TraceID, hour: 461648 },
      }),
    ],
  };
}
