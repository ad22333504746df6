/** A place in the JSON Schema of a configuration. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

/** One key, sections included. `value`: its default, undefined when there is none. */
export interface ConfigKey {
  readonly path: readonly string[];
  readonly node: SchemaNode;
  readonly value: unknown;
}

/** All keys of a configuration in the order of the schema, a section before its keys: for its table and its defaults file. */
export function* configKeys(node: SchemaNode, defaults: object, path: readonly string[] = []): Generator<ConfigKey> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const value = (defaults as Record<string, unknown> | undefined)?.[name];
    const inner = [...path, name];
    yield { path: inner, node: child, value };
    yield* configKeys(child, value as object, inner);
  }
}

/** The type of a key in words: the allowed values, or the type with its range. */
export function keyType({ type, const: only, enum: words, minimum, maximum }: SchemaNode): string {
  if (only !== undefined) return `\`${only}\``;
  if (words) return words.map((word) => `\`${word}\``).join(', ');
  const range =
    type === 'integer' && minimum !== undefined
      ? ` ${minimum}${maximum === undefined || maximum > 2 ** 50 ? ' or more' : `–${maximum}`}`
      : '';
  return `${type ?? 'any'}${range}`;
}
