import { type Alert, type AlertRule, encodeAlertJson, type Rollup } from '../alert.ts';
import * as name from '../attributes.ts';
import { takeApart } from '../event-data.ts';
import type { LogRecord } from '../otlp/log.ts';
import { parseTimestamp } from '../timestamp.ts';
import { addDetails, addHook, addObject } from './access.ts';
import { AttributeList } from './attribute-list.ts';
import type { AlertContext } from './context.ts';
import { directFields } from './direct-fields.ts';
import { category, eventName, operationOf } from './operation.ts';
import { severity } from './severity.ts';

/** The alert as a log record. With its resource and scope it is the whole alert: see `fromRecord`. */
export function toRecord(alert: Alert, context: AlertContext): LogRecord {
  const { Picket } = alert;
  const data = takeApart(alert.Data ?? '');
  const list = new AttributeList();
  list.text(name.LOG_RECORD_UID, Picket.AlertID);
  addShared(list, alert, context, data);
  list.int(name.SEQ, Picket.Seq);
  list.text(name.EPOCH, Picket.Epoch);
  addDirect(list, alert, false);
  if (alert.HostPID !== undefined) list.bool(name.PROCESS_INTERACTIVE, alert.TTY !== undefined && alert.TTY !== '');
  if (alert.Operation === 'Process' && alert.Source !== alert.ParentProcessName) list.text(name.SOURCE, alert.Source);
  addDetails(list, data);
  if (Picket.Rule !== undefined) addRule(list, Picket.Rule);
  list.texts(name.FLAGS, Picket.Flags);
  if (Picket.Rollup !== undefined) addRollup(list, Picket.Rollup);
  if (context.original) list.text(name.LOG_RECORD_ORIGINAL, encodeAlertJson(alert));
  const { number, text } = severity(alert);
  return {
    timeUnixNano: eventTime(alert),
    observedTimeUnixNano: context.observedNs,
    severityNumber: number,
    severityText: text,
    body: { kind: 'string', value: body(alert) },
    attributes: list.pairs,
    flags: 1,
    traceId: Picket.TraceID,
    spanId: Picket.SpanID,
    eventName: eventName(alert.Operation),
  };
}

/** Whether a record that came from somewhere says that it is an alert. */
export function isAlertRecord(record: Pick<LogRecord, 'eventName'>): boolean {
  return operationOf(record.eventName) !== undefined;
}

/** Unix nanoseconds of the event: `UpdatedTime`, which has microseconds; `Timestamp` only where that is no time. */
export function eventTime(alert: Alert): bigint {
  return parseTimestamp(alert.UpdatedTime) ?? BigInt(alert.Timestamp) * 1_000_000_000n;
}

/** The attributes that the alert's record and its span have in common. */
export function addShared(
  list: AttributeList,
  alert: Alert,
  context: Pick<AlertContext, 'errno'>,
  data: ReadonlyMap<string, string>,
): void {
  addDirect(list, alert, true);
  if (alert.ProcessName !== undefined) {
    list.text(name.PROCESS_EXECUTABLE_NAME, alert.ProcessName.slice(alert.ProcessName.lastIndexOf('/') + 1));
  }
  if (alert.Operation !== 'Process') list.text(name.PROCESS_COMMAND_LINE, alert.Source);
  list.text(name.PROCESS_EXEC_ID, alert.ExecEvent?.ExecID);
  list.text(name.PROCESS_EXEC_EXECUTABLE, alert.ExecEvent?.ExecutableName);
  list.text(name.RULE_CATEGORY_OF_ACCESS, category(alert.Operation));
  if (alert.Severity !== undefined) list.int(name.SEVERITY, Number(alert.Severity));
  list.texts(name.TAGS, alert.ATags);
  list.texts(name.ATTACK_TECHNIQUE, alert.ATags?.filter((tag) => TECHNIQUE.test(tag)).map(techniqueOf));
  addObject(list, alert, data);
  addHook(list, data);
  if (alert.Result !== undefined) {
    list.text(name.OUTCOME, alert.Result === 'Passed' ? 'success' : 'failure');
    // A killed process never saw an error.
    if (alert.Result !== 'Killed') list.int(name.ERRNO, context.errno);
  }
}

/** A MITRE ATT&CK technique, alone or as the beginning or end of a tag such as `MITRE_T1082_system_discovery`. */
const TECHNIQUE = /(?:^|[^A-Za-z0-9])(T\d{4}(?:\.\d{3})?)(?![A-Za-z0-9.])/;

function techniqueOf(tag: string): string {
  return TECHNIQUE.exec(tag)?.[1] ?? tag;
}

function addDirect(list: AttributeList, alert: Alert, span: boolean): void {
  const values = alert as unknown as Readonly<Record<string, string | number | undefined>>;
  for (const field of directFields) {
    if (field.span !== span) continue;
    if (field.kind === 'count') list.int(field.name, values[field.field] as number | undefined);
    else list.text(field.name, values[field.field] as string | undefined);
  }
}

function addRule(list: AttributeList, rule: AlertRule): void {
  list.text(name.RULE_VERSION, String(rule.Generation));
  if ('Posture' in rule) {
    list.text(name.RULE_CATEGORY, rule.Category);
    list.text(name.RULE_POSTURE, rule.Posture);
    return;
  }
  list.text(name.RULE_UUID, rule.UID);
  list.text(name.RULE_KIND, rule.Kind);
  list.text(name.RULE_NAMESPACE, rule.Namespace);
  list.text(name.RULE_PATH, rule.Path);
}

function addRollup(list: AttributeList, rollup: Rollup): void {
  list.int(name.THROTTLE_COUNT, rollup.Count);
  list.text(name.THROTTLE_FIRST_TIME, rollup.FirstTime);
  list.text(name.THROTTLE_LAST_TIME, rollup.LastTime);
  list.tally(name.THROTTLE_RESOURCES, rollup.Resources);
  list.tally(name.THROTTLE_SOURCES, rollup.Sources);
  list.bool(name.THROTTLE_TRUNCATED, rollup.Truncated);
}

function body(alert: Alert): string {
  if (alert.Message !== undefined && alert.Message !== '') return alert.Message;
  const what = [alert.Action, alert.Operation, alert.Resource]
    .filter((word) => word !== undefined && word !== '')
    .join(' ');
  return alert.PolicyName === undefined ? what : `${alert.PolicyName}: ${what}`;
}
