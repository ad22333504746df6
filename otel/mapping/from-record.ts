import type { Alert } from '../alert.ts';
import * as name from '../attributes.ts';
import { OtlpError } from '../errors.ts';
import { eventData } from '../event-data.ts';
import type { LogRecord } from '../otlp/log.ts';
import type { Resource, Scope } from '../otlp/resource.ts';
import { formatTimestamp } from '../timestamp.ts';
import { AttributeMap } from './attribute-list.ts';
import { directFields } from './direct-fields.ts';
import { operationOf } from './operation.ts';
import { fromResource } from './resource.ts';
import { fromScope } from './scope.ts';
import { FLAGS, wholeAlert } from './whole-alert.ts';

/**
 * The very alert that `toRecord`, `toResource` and `toScope` were given, whatever lies between. The record may come from
 * anywhere: what is returned is an alert by the schema.
 * @throws OtlpError `not-an-alert` when the record is none, or not a whole one
 */
export function fromRecord(record: LogRecord, resource: Resource, scope: Scope): Alert {
  const Operation = operationOf(record.eventName);
  if (Operation === undefined) {
    throw new OtlpError('not-an-alert', `The event name "${record.eventName}" is no alert's`);
  }
  const map = new AttributeMap(record.attributes);
  const alert: Record<string, unknown> = {
    Timestamp: Number(record.timeUnixNano / 1_000_000_000n),
    UpdatedTime: formatTimestamp(record.timeUnixNano),
    Operation,
  };
  const set = (fields: Readonly<Record<string, unknown>>): void => {
    for (const key in fields) if (fields[key] !== undefined) alert[key] = fields[key];
  };
  set(fromResource(resource));
  set(fromScope(scope));
  for (const { field, name, kind } of directFields) {
    const value = kind === 'count' ? map.count(name) : map.text(name);
    if (value !== undefined) alert[field] = value;
  }
  const severity = map.count(name.SEVERITY);
  const ATags = map.texts(name.TAGS);
  set({
    Severity: severity === undefined ? undefined : String(severity),
    Tags: ATags?.join(','),
    ATags,
    Source: sourceOf(map, Operation),
    EventData: eventData(map.text(name.DATA)),
    ExecEvent: execEventOf(map),
  });
  const Picket = {
    AlertID: map.text(name.LOG_RECORD_UID),
    Rule: ruleOf(map),
    TraceID: record.traceId,
    SpanID: record.spanId,
    Seq: map.count(name.SEQ),
    Epoch: map.text(name.EPOCH),
    Flags: flagsOf(map),
    Rollup: rollupOf(map),
  };
  return wholeAlert(alert, Picket);
}

/** `Source` travels in the attribute that means the same: of a new program the parent, else the acting command line. */
function sourceOf(map: AttributeMap, operation: Alert['Operation']): string | undefined {
  const other = operation === 'Process' ? name.PROCESS_PARENT_EXECUTABLE_PATH : name.PROCESS_COMMAND_LINE;
  return map.text(name.SOURCE) ?? map.text(other);
}

function execEventOf(map: AttributeMap): object | undefined {
  const ExecID = map.text(name.PROCESS_EXEC_ID);
  const ExecutableName = map.text(name.PROCESS_EXEC_EXECUTABLE);
  return ExecID === undefined || ExecutableName === undefined ? undefined : { ExecID, ExecutableName };
}

function ruleOf(map: AttributeMap): object | undefined {
  const Kind = map.text(name.RULE_KIND);
  const Posture = map.text(name.RULE_POSTURE);
  if (Kind === undefined && Posture === undefined) return undefined;
  const version = map.text(name.RULE_VERSION);
  const Generation = version !== undefined && /^\d+$/.test(version) ? Number(version) : undefined;
  if (Kind === undefined) return { Category: map.text(name.RULE_CATEGORY), Posture, Generation };
  return {
    Kind,
    Namespace: map.text(name.RULE_NAMESPACE),
    Policy: map.text(name.RULE_NAME),
    UID: map.text(name.RULE_UUID),
    Path: map.text(name.RULE_PATH),
    Generation,
  };
}

/** A flag that a newer agent may have is left out: better the alert without it than no alert. */
function flagsOf(map: AttributeMap): string[] | undefined {
  const flags = map.texts(name.FLAGS)?.filter((flag) => FLAGS.has(flag));
  return flags?.length ? flags : undefined;
}

function rollupOf(map: AttributeMap): object | undefined {
  const Count = map.count(name.THROTTLE_COUNT);
  if (Count === undefined) return undefined;
  return {
    Count,
    FirstTime: map.text(name.THROTTLE_FIRST_TIME),
    LastTime: map.text(name.THROTTLE_LAST_TIME),
    Resources: map.tally(name.THROTTLE_RESOURCES),
    Sources: map.tally(name.THROTTLE_SOURCES),
    Truncated: map.bool(name.THROTTLE_TRUNCATED),
  };
}
