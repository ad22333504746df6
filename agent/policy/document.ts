import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  visit,
} from 'yaml';
import type { Position } from './diagnostic.ts';
import { type FieldPath, printable } from './field.ts';
import type { Locate } from './report.ts';

/** Bounds of one policy file. */
export const fileLimits = { bytes: 8 * 1024 * 1024, documents: 1000, aliases: 100 } as const;

/** The YAML reader is recursive: it ends at the depth of its stack, as an error or as an exception. */
const tooDeep = 'found a document nested too deep';

/** One YAML document: its value with a way back to lines and columns, or what is wrong with it. */
export type YamlDocument =
  | { kind: 'value'; value: unknown; start: Position; locate: Locate }
  | { kind: 'broken'; start: Position; problems: { message: string; position: Position }[] };

/**
 * Takes a text apart into its YAML documents; empty ones are left out. A broken document leaves the others whole.
 * Bounded in bytes, documents, nesting and alias expansion: what exceeds a bound comes back as broken.
 */
export function readDocuments(text: string, file: string): YamlDocument[] {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const broken = (offset: number, message: string): YamlDocument => {
    const start = position(offset);
    return { kind: 'broken', start, problems: [{ message, position: start }] };
  };
  if (Buffer.byteLength(text) > fileLimits.bytes)
    return [broken(0, `found ${Buffer.byteLength(text)} bytes; allowed: at most ${fileLimits.bytes}`)];

  const documents: YamlDocument[] = [];
  for (const tokens of documentTokens(text, lines)) {
    const start = tokens.find((token) => token.type === 'document')?.offset ?? tokens[0]?.offset ?? 0;
    if (documents.length === fileLimits.documents) {
      documents.push(broken(start, `found more documents; allowed: at most ${fileLimits.documents} in one file`));
      break;
    }
    try {
      for (const document of new Composer({ uniqueKeys: false, stringKeys: true, merge: true }).compose(tokens))
        documents.push(...readDocument(document, position));
    } catch (error) {
      documents.push(broken(start, error instanceof RangeError ? tooDeep : `found ${(error as Error).message}`));
    }
  }
  return documents;
}

/** Groups the parser's tokens so that each group composes to one document on its own. */
function* documentTokens(text: string, lines: LineCounter): Generator<CST.Token[]> {
  let group: CST.Token[] = [];
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    const full = group.some((earlier) => earlier.type === 'document');
    if (full && (token.type === 'document' || token.type === 'directive')) {
      yield group;
      group = [];
    }
    if (token.type !== 'comment' && token.type !== 'space' && token.type !== 'newline') group.push(token);
  }
  if (group.length > 0) yield group;
}

type Problem = { message: string; position: Position };

function readDocument(document: Document.Parsed, position: (offset: number) => Position): YamlDocument[] {
  const start = position(document.contents?.range[0] ?? document.range[0]);
  const broken = (problems: Problem[]): YamlDocument[] => [{ kind: 'broken', start, problems: problems.slice(0, 10) }];
  const problems = [
    ...document.errors.map(({ code, message, pos }) => ({
      message: /call stack/.test(message) ? tooDeep : (yamlFaults[code] ?? `found a YAML error: ${message}`),
      position: position(pos[0]),
    })),
    // The reader would go on with the value as if no tag were there.
    ...document.warnings.map(({ message, pos }) => ({
      message: `found ${message.replace(/^Unresolved tag: /, 'the tag ')}; allowed: values without tags`,
      position: position(pos[0]),
    })),
    ...duplicateKeys(document, position),
  ];
  if (problems.length > 0) return broken(problems);
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return [];
  const loose = looseReferences(document, position);
  if (loose.problems.length > 0) return broken(loose.problems);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: fileLimits.aliases });
  } catch (error) {
    if (!/alias count/.test((error as Error).message)) throw error;
    const message = `found aliases that stand for too much, one inside the other; allowed: at most ${fileLimits.aliases} times what the anchors hold`;
    return broken([{ message, position: loose.firstAlias ?? start }]);
  }
  return [{ kind: 'value', value, start, locate: (path, what) => locate(document, path, what, position) }];
}

/** Errors of the reader in words for whoever writes policies. */
const yamlFaults: Readonly<Record<string, string>> = {
  NON_STRING_KEY: 'found a key that is no text (a template that was not filled in?); allowed: text',
};

/** Aliases without an anchor, and merge keys ("<<") that hold something else than maps. */
function looseReferences(
  document: Document.Parsed,
  position: (offset: number) => Position,
): { problems: Problem[]; firstAlias?: Position } {
  const problems: Problem[] = [];
  let firstAlias: Position | undefined;
  const target = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  visit(document, {
    Alias(_, alias) {
      const at = position(alias.range?.[0] ?? 0);
      firstAlias ??= at;
      if (alias.resolve(document) === undefined)
        problems.push({ message: `found the alias *${alias.source}, and no anchor of that name before`, position: at });
    },
    Pair(_, { key, value }) {
      if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN') return;
      const merged = target(value);
      if (merged === undefined) return; // told above
      const parts = isSeq(merged) ? merged.items.map(target) : [merged];
      if (!parts.every((part) => isMap(part)))
        problems.push({
          message: 'found a merge key << that holds no map; allowed: a map, an alias of one, or a list of them',
          position: position(key.range?.[0] ?? 0),
        });
    },
  });
  return { problems, ...(firstAlias && { firstAlias }) };
}

/** The reader's own check compares every pair of keys of a map; a set does it in one pass. */
function duplicateKeys(document: Document.Parsed, position: (offset: number) => Position): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value))
          problems.push({
            message: `found the key ${printable(key.value)} twice in one map`,
            position: position(key.range?.[0] ?? 0),
          });
        seen.add(key.value);
      }
    },
  });
  return problems;
}

/** Walks to the field; ends at the last part that exists. */
function locate(
  document: Document.Parsed,
  path: FieldPath,
  what: 'value' | 'key' | undefined,
  position: (offset: number) => Position,
): Position | undefined {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0];
  for (const [i, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      next = what === 'key' && i === path.length - 1 ? pair?.key : (pair?.value ?? pair?.key);
    } else if (isSeq(node) && typeof part === 'number') next = node.items[part];
    if (typeof next !== 'object' || next === null) break;
    node = next as Node;
    offset = node.range?.[0] ?? offset;
  }
  return offset === undefined ? undefined : position(offset);
}
