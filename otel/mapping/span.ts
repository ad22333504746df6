import type { Alert } from '../alert.ts';
import * as name from '../attributes.ts';
import { takeApart } from '../event-data.ts';
import { SPAN_KIND_INTERNAL, type Span, STATUS_ERROR } from '../otlp/span.ts';
import { AttributeList } from './attribute-list.ts';
import type { AlertContext } from './context.ts';
import { eventName } from './operation.ts';
import { addShared, eventTime } from './record.ts';
import { refused } from './severity.ts';
import { spanName } from './span-name.ts';

/** How long a span lasts whose duration nobody measured. */
export const MOMENT_NS = 1000n;

/** The alert as a child of the span of its process. Its one event bears the name of the alert's log record. */
export function toSpan(alert: Alert, context: AlertContext): Span {
  const data = takeApart(alert.Data ?? '');
  const list = new AttributeList();
  list.text(name.LOG_RECORD_UID, alert.Picket.AlertID);
  addShared(list, alert, context, data);
  const start = eventTime(alert);
  const span: Span = {
    traceId: alert.Picket.TraceID,
    spanId: alert.Picket.SpanID,
    traceState: '',
    parentSpanId: context.processSpanId,
    flags: 1,
    name: spanName(alert, data),
    kind: SPAN_KIND_INTERNAL,
    startTimeUnixNano: start,
    endTimeUnixNano: start + MOMENT_NS,
    attributes: list.pairs,
    events: [{ timeUnixNano: start, name: eventName(alert.Operation), attributes: [] }],
    links: [],
  };
  if (alert.Type !== 'SystemEvent' && refused(alert)) span.status = { code: STATUS_ERROR, message: '' };
  if (context.previousTraceId !== undefined) {
    span.links.push({
      traceId: context.previousTraceId,
      spanId: context.rootSpanId ?? context.processSpanId,
      traceState: '',
      attributes: [],
      flags: 1,
    });
  }
  return span;
}
