import Table from 'cli-table3';
import picocolors from 'picocolors';
import type { Alert } from '../../otel/alert.ts';
import { escapeText } from './escape.ts';

export interface TableOptions {
  /** Columns of the terminal; undefined: as wide as the content, nothing is cut. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

interface Column {
  readonly name: string;
  /** Room it has at least, gap included. */
  readonly least: number;
  /** Gives way when the terminal is narrow. */
  readonly flexible?: boolean;
  readonly text: (alert: Alert) => string;
}

const GAP = 2;
const time: Column = { name: 'TIME', least: 25, text: ({ UpdatedTime }) => localTime(UpdatedTime) };
const columns: readonly Column[] = [
  time,
  { name: 'WORKLOAD', least: 12, flexible: true, text: workload },
  { name: 'POLICY', least: 10, flexible: true, text: ({ PolicyName }) => PolicyName ?? '' },
  { name: 'ACTION', least: 10, text: ({ Action }) => Action ?? '' },
  { name: 'OPERATION', least: 11, text: ({ Operation }) => Operation },
  { name: 'RESOURCE', least: 15, flexible: true, text: ({ Resource, Data }) => Resource ?? Data ?? '' },
];
const wide: readonly Column[] = [
  ...columns,
  { name: 'PROCESS', least: 12, flexible: true, text: ({ ProcessName }) => ProcessName ?? '' },
];
/** 80 columns hold no date and no process. */
const narrow: readonly Column[] = [
  { ...time, least: 14, text: (alert) => time.text(alert).slice(11) },
  ...columns.slice(1),
];
const WIDE_FROM = 110;

/** A table that grows page by page. Everything from outside is escaped. */
export class AlertTable {
  readonly #width: number | undefined;
  readonly #columns: readonly Column[];
  readonly #paint: ReturnType<typeof picocolors.createColors>;
  /** Of the first page, kept for those that follow. */
  #widths: number[] | undefined;
  #begun = false;

  constructor({ width, colour }: TableOptions) {
    this.#width = width;
    this.#columns = width !== undefined && width < WIDE_FROM ? narrow : wide;
    this.#paint = picocolors.createColors(colour);
  }

  /** The lines of some alerts, the first time below the names of the columns. */
  page(alerts: readonly Alert[]): string {
    const rows = alerts.map((alert) => this.#columns.map(({ text }) => escapeText(text(alert))));
    if (this.#width !== undefined) this.#widths ??= columnWidths(this.#columns, rows, this.#width);
    const table = new Table({
      ...(this.#begun ? {} : { head: this.#columns.map(({ name }) => this.#paint.bold(name)) }),
      ...(this.#widths ? { colWidths: this.#widths } : {}),
      chars: BORDERLESS,
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    });
    this.#begun = true;
    for (const row of rows) table.push(row.map((text, i) => this.#shade(text, this.#columns[i]?.name)));
    return `${table.toString()}\n`;
  }

  #shade(text: string, column: string | undefined): string {
    if (column !== 'ACTION') return text;
    return text === 'Block' ? this.#paint.red(text) : this.#paint.yellow(text);
  }
}

function workload({ NamespaceName, PodName, HostName }: Alert): string {
  return PodName ? `${NamespaceName}/${PodName}` : HostName;
}

/** Widths that show as much as the terminal has room for: the widest flexible column gives way first. */
function columnWidths(shown: readonly Column[], rows: readonly string[][], width: number): number[] {
  const sized = shown.map(({ name, least, flexible }, i) => {
    const natural = Math.max(least, ...rows.map((row) => (row[i]?.length ?? 0) + GAP));
    return { name, least, flexible, width: natural };
  });
  let over = sized.reduce((sum, each) => sum + each.width, 0) - width;
  for (; over > 0; over--) {
    const [widest] = sized.filter((each) => each.flexible && each.width > each.least).sort((a, b) => b.width - a.width);
    if (!widest) break;
    widest.width--;
  }
  // What is left over is for paths that come later.
  return sized.map((each) => (each.name === 'RESOURCE' && over < 0 ? each.width - over : each.width));
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
