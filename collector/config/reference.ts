import { z } from 'zod';
import { configKeys, keyType, type SchemaNode } from '../../otel/config-keys.ts';
import { completeConfig, configSchema } from './schema.ts';

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

const keys = () => configKeys(configJsonSchema() as SchemaNode, { ...defaults, kafka: kafkaDefaults });

/** All keys as a Markdown table: key, type, default, meaning. */
export function configTable(): string {
  const rows = [...keys()]
    .filter(({ node }) => !node.properties)
    .map(({ path, node, value }) => {
      const shown = path.at(-1) === 'brokers' ? '– (required)' : `\`${JSON.stringify(value)}\``;
      return `| \`${path.join('.')}\` | ${keyType(node)} | ${shown} | ${node.description ?? ''} |`;
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
