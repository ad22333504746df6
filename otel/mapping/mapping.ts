/** The three forms of an alert: log record with resource and scope, span, and, on the way back, the alert itself. */
export type { AlertContext } from './context.ts';
export { fromRecord } from './from-record.ts';
export { type ProcessIdentity, processSpan } from './process-span.ts';
export { isAlertRecord, toRecord } from './record.ts';
export { toResource } from './resource.ts';
export { toScope } from './scope.ts';
export { toSpan } from './span.ts';
