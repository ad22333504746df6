import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Case, caseSchema, type Step, stepSchemas } from './schema.ts';

/** A case file that cannot be used; the message has one line per fault: file, line, key, what is wrong. */
export class CaseError extends Error {
  override name = 'CaseError';
}

/** The case files of a folder, sorted by name. Throws CaseError when it cannot be read. */
export function listCases(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = code === 'ENOTDIR' ? 'it is no folder; allowed: a folder of *.yaml files' : message;
    throw new CaseError(`the folder ${folder} cannot be read: ${found}`);
  }
  return names
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(folder, name));
}

/** Reads one case file; throws CaseError. */
export function readCase(file: string): Case {
  let text: string;
  try {
    if (!statSync(file).isFile()) throw new Error('it is no regular file');
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw new CaseError(`${file}:1: cannot be read: ${(error as Error).message}`);
  }
  return parseCase(text, file);
}

/** Reads a case from its text; `file` names it in errors and must agree with the key `case`. */
export function parseCase(text: string, file: string): Case {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const faults = document.errors.map(
    (error) => `${file}:${error.linePos?.[0].line ?? 1}: ${error.message.split('\n')[0]}`,
  );
  if (faults.length > 0) throw new CaseError(faults.join('\n'));

  const note = (path: PropertyKey[], message: string): void => {
    faults.push(`${file}:${lineOf(document, lines, path)}: ${formatPath(path)}${message}`);
  };
  const check = <T extends z.ZodType>(schema: T, value: unknown, at: PropertyKey[]): z.infer<T> | undefined => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const path = [...at, ...issue.path];
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) note([...path, key], 'is not a key of the format');
      } else note(path, issue.message);
    }
    return undefined;
  };

  const head = check(caseSchema, valueIn(document, file), []);
  const steps = (head?.steps ?? []).map((step, i): Step | undefined => {
    const kind = (Object.keys(stepSchemas) as (keyof typeof stepSchemas)[]).find((name) => name in step) ?? 'command';
    const checked = check(stepSchemas[kind] as z.ZodType<object>, step, ['steps', i]);
    return checked && ({ kind, ...checked } as Step);
  });
  const expected = basename(file, '.yaml');
  if (head && head.case !== expected) note(['case'], `is ${head.case}, the name of the file says ${expected}`);
  if (!head || faults.length > 0) throw new CaseError(faults.join('\n'));
  return { ...head, steps: steps as Step[] };
}

/** Aliases without an anchor, and too many of them, are found only now. */
function valueIn(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new CaseError(`${file}:1: ${(error as Error).message}`);
  }
}

/** Line of the node at `path`, or of the closest one above it that exists; of a key that is one too many, its own. */
function lineOf(document: Document, lines: LineCounter, path: PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1])
      : undefined;
    const node = (pair?.key ?? document.getIn(path.slice(0, length), true)) as Node | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function formatPath(path: PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text ? `${text.replace(/^\./, '')}: ` : '';
}
