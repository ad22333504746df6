import { z } from 'zod';
import { completeConfig, configSchema } from './schema.ts';

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
}

/** What the file may say, as JSON Schema, for editors. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
}

/** Defaults as root has them, those that follow from other keys included. */
const defaults = completeConfig(configSchema.parse({}), {
  stateDir: '/var/lib/picket/collector',
  runDir: '/run/picket',
});
const kafkaDefaults = configSchema.parse({ kafka: { brokers: ['127.0.0.1:9092'] } }).kafka;

interface Key {
  readonly path: readonly string[];
  readonly node: Node;
  readonly value: unknown;
}

function* keys(node = configJsonSchema() as Node, path: readonly string[] = []): Generator<Key> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const inner = [...path, name];
    const root = { ...defaults, kafka: kafkaDefaults };
    const value = inner.reduce<unknown>((found, key) => (found as Record<string, unknown>)?.[key], root);
    yield { path: inner, node: child, value };
    yield* keys(child, inner);
  }
}

/** All keys as a Markdown table: key, type, default, meaning. */
export function configTable(): string {
  const rows = [...keys()]
    .filter(({ node }) => !node.properties)
    .map(({ path, node, value }) => {
      const shown = path.at(-1) === 'brokers' ? '– (required)' : `\`${JSON.stringify(value)}\``;
      return `| \`${path.join('.')}\` | ${typeOf(node)} | ${shown} | ${node.description ?? ''} |`;
    });
  return [
    '# Configuration of the collector',
    '',
    'File `/etc/picket/collector.yaml`, all keys optional; a change takes effect at the next start. Generated from',
    '`collector/config/schema.ts`. Without a section `kafka` alerts are kept in the store; with it they are delivered to',
    'Kafka, and kept in the store as well when a section `store` is there (`store: {}` is enough).',
    '',
    '| key | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function typeOf({ type, const: only, enum: words, minimum, maximum }: Node): string {
  if (only !== undefined) return `\`${only}\``;
  if (words) return words.map((word) => `\`${word}\``).join(', ');
  const range =
    type === 'integer' && minimum !== undefined
      ? ` ${minimum}${maximum === undefined || maximum > 2 ** 50 ? ' or more' : `–${maximum}`}`
      : '';
  return `${type}${range}`;
}

/** A configuration file that says the defaults, with a comment for each key; what is off by default is commented out. */
export function defaultsYaml(): string {
  const lines = ['# picket collector: all keys with their defaults. A change takes effect at the next start.'];
  for (const { path, node, value } of keys()) {
    const off = path[0] === 'kafka' ? '# ' : '';
    const indent = '  '.repeat(path.length - 1);
    if (node.description) lines.push(`${off}${indent}# ${node.description}`);
    lines.push(`${off}${indent}${path.at(-1)}:${node.properties ? '' : ` ${JSON.stringify(value)}`}`);
  }
  return `${lines.join('\n')}\n`;
}
