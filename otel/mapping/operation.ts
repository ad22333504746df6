import type { Alert } from '../alert.ts';

export type Operation = Alert['Operation'];

interface Names {
  /** The record's `event_name`. */
  event: string;
  /** `security_rule.category`; system events have none. */
  category?: string;
}

const names: Record<Operation, Names> = {
  Process: { event: 'picket.alert.process', category: 'process' },
  File: { event: 'picket.alert.file', category: 'file' },
  Network: { event: 'picket.alert.network', category: 'network' },
  Capabilities: { event: 'picket.alert.capability', category: 'capability' },
  Syscall: { event: 'picket.alert.syscall', category: 'syscall' },
  AlertThreshold: { event: 'picket.alert.throttled' },
  PathUnresolved: { event: 'picket.alert.path_unresolved' },
  SequenceGap: { event: 'picket.alert.sequence_gap' },
  NotCovered: { event: 'picket.alert.not_covered' },
};

const byEvent = new Map(Object.entries(names).map(([operation, { event }]) => [event, operation as Operation]));

export function eventName(operation: Operation): string {
  return names[operation].event;
}

export function category(operation: Operation): string | undefined {
  return names[operation].category;
}

/** The operation behind an `event_name`; undefined when the record is no alert. */
export function operationOf(event: string): Operation | undefined {
  return byEvent.get(event);
}
