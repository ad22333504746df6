import Table from 'cli-table3';
import picocolors from 'picocolors';
import type { Alert } from '../../otel/alert.ts';
import { escapeText } from './escape.ts';

export interface TableOptions {
  /** Columns of the terminal; undefined: as wide as the content, nothing is cut. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

const HEAD = ['TIME', 'WORKLOAD', 'POLICY', 'ACTION', 'OPERATION', 'RESOURCE', 'PROCESS'];
/** Columns that show a part when the terminal is narrow, and the share of the free width that each gets. */
const SHARES: Readonly<Record<string, number>> = { WORKLOAD: 0.2, POLICY: 0.2, RESOURCE: 0.35, PROCESS: 0.25 };
const FIXED: Readonly<Record<string, number>> = { TIME: 25, ACTION: 8, OPERATION: 11 };

/** Alerts as lines of a table, with or without the line of column names. Everything from outside is escaped. */
export function alertTable(alerts: readonly Alert[], head: boolean, { width, colour }: TableOptions): string {
  const paint = picocolors.createColors(colour);
  const table = new Table({
    ...(head ? { head: HEAD.map((name) => paint.bold(name)) } : {}),
    ...(width === undefined ? {} : { colWidths: HEAD.map((name) => columnWidth(name, width)) }),
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  for (const alert of alerts) table.push(cells(alert, paint));
  return `${table.toString()}\n`;
}

function cells(alert: Alert, paint: ReturnType<typeof picocolors.createColors>): string[] {
  const { NamespaceName: namespace, PodName: pod, HostName: host, Action: action = '' } = alert;
  const shade = action === 'Block' ? paint.red : paint.yellow;
  const text = [
    localTime(alert.UpdatedTime),
    pod ? `${namespace}/${pod}` : host,
    alert.PolicyName ?? '',
    action,
    alert.Operation,
    alert.Resource ?? alert.Data ?? '',
    alert.ProcessName ?? '',
  ].map(escapeText);
  text[3] = shade(text[3] ?? '');
  return text;
}

function columnWidth(name: string, width: number): number {
  const free = Math.max(60, width - Object.values(FIXED).reduce((sum, each) => sum + each, 0));
  return FIXED[name] ?? Math.floor(free * (SHARES[name] ?? 0));
}

/** `2026-11-24 08:12:33.123` in the time zone of this machine. */
function localTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 23).replace('T', ' ');
}

const BORDERLESS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
);
