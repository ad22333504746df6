import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { CollectorError } from '../error.ts';
import { type Config, completeConfig, configSchema, type Places } from './schema.ts';

/** Where the collector looks when it is not told. */
export const CONFIG_FILE = '/etc/picket/collector.yaml';

export type ConfigResult = { kind: 'ok'; config: Config } | { kind: 'wrong'; findings: string[] };

/**
 * The configuration in a YAML text. Wrong: one line for each finding, `FILE:LINE:COLUMN: field: what was found, what is
 * allowed`.
 */
export function parseConfig(text: string, file: string, places?: Places): ConfigResult {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0)
    return { kind: 'wrong', findings: document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`) };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    return { kind: 'wrong', findings: [`${file}: ${(error as Error).message}`] };
  }
  const result = configSchema.safeParse(value);
  if (result.success) return { kind: 'ok', config: completeConfig(result.data, places) };
  const findings = result.error.issues.flatMap((issue) =>
    explain(issue, value).map(([path, message]) => {
      const offset = offsetOf(document, path);
      return { offset, text: `${at(offset)}: ${path.join('.') || 'the file'}: ${message}` };
    }),
  );
  return { kind: 'wrong', findings: findings.sort((a, b) => a.offset - b.offset).map(({ text }) => text) };
}

/** Reads a configuration file; without a name the usual one, and the defaults when that one is absent. */
export function readConfig(file: string | undefined, places?: Places): Config {
  const name = file ?? CONFIG_FILE;
  let text = '';
  try {
    text = readFileSync(name, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (file !== undefined || code !== 'ENOENT')
      throw new CollectorError('config', `cannot read the configuration ${name}: ${message}`, cause);
  }
  const result = parseConfig(text, name, places);
  if (result.kind === 'ok') return result.config;
  throw new CollectorError('config', result.findings.join('\n'));
}

type Path = (string | number)[];

/** One finding of zod as field and sentence; an object with several unknown keys gives one finding for each. */
function explain(issue: z.core.$ZodIssue, root: unknown): [Path, string][] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => [[...path, key], `no such key${allowedKeys(path)}`]);
  const found = path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)?.[key], root);
  if (found === undefined) return [[path, 'is missing']];
  return [[path, `found ${JSON.stringify(found)}, ${allowed(issue)}`]];
}

function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${issue.expected === 'int' ? 'a whole number' : issue.expected}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}${issue.origin === 'array' ? ' entry' : ''}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  if (issue.code === 'invalid_value')
    return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  return issue.message;
}

function allowedKeys(path: Path): string {
  let schema: unknown = configSchema;
  for (const key of path) schema = (unwrap(schema) as { shape?: Record<string, unknown> }).shape?.[key];
  const { shape } = unwrap(schema) as { shape?: Record<string, unknown> };
  return shape ? `; there are ${Object.keys(shape).join(', ')}` : '';
}

/** The object behind optional() and prefault(). */
function unwrap(schema: unknown): unknown {
  let inner = schema as { unwrap?: () => unknown };
  while (typeof inner?.unwrap === 'function') inner = inner.unwrap() as typeof inner;
  return inner ?? {};
}

/** Where a key stands in the text; for one that is missing, the nearest that is there around it. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1];
    const pair = isMap(parent) && parent.items.find((item) => isScalar(item.key) && item.key.value === key);
    const node = pair ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}
