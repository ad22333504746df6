import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { configKeys, keyType, type SchemaNode } from '../otel/config-keys.ts';
import { configSchema } from './config.ts';
import { settingsSchema } from './policy/settings.ts';

/** Defaults as root has them. */
const defaults = { ...configSchema.parse({}), stateDir: '/var/lib/picket/agent' };

/** Committed files beside the schema; a test compares. `node agent/config-reference.ts` writes them. */
export const referenceFiles = {
  table: new URL('config.md', import.meta.url),
  jsonSchema: new URL('config.schema.json', import.meta.url),
};

/** What `agent.yaml` may say, as JSON Schema, for editors; the defaults are those of root. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  const { stateDir } = schema.properties as { stateDir: { default: string } };
  stateDir.default = defaults.stateDir;
  return schema;
}

const keys = () => configKeys(configJsonSchema() as SchemaNode, defaults);

/** All keys as a Markdown table: key, type, default, how a change takes effect, meaning. */
export function configTable(): string {
  const rows = [...keys()]
    .filter(({ node }) => !node.properties)
    .map(({ path, node, value }) => {
      const shown = value === undefined ? '–' : `\`${JSON.stringify(value)}\``;
      const effect =
        path[0] !== undefined && path[0] in settingsSchema.shape ? 'at once, by the control socket' : 'restart';
      return `| \`${path.join('.')}\` | ${keyType(node)} | ${shown} | ${effect} | ${node.description ?? ''} |`;
    });
  return [
    '# Configuration of the agent',
    '',
    'File `/etc/picket/agent.yaml`, all keys optional. Generated from `agent/config.ts`.',
    '',
    '| key | type | default | takes effect | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** A configuration file that says the defaults, with a comment for each key; keys without a default are commented out. */
export function defaultsYaml(): string {
  const lines = ['# picket agent: all keys with their defaults.'];
  for (const { path, node, value } of keys()) {
    const indent = '  '.repeat(path.length - 1);
    if (node.description) lines.push(`${indent}# ${node.description}`);
    const inside = node.properties && Object.keys(node.properties).length > 0;
    if (inside && Object.values(value as object).every((inner) => inner === undefined)) {
      lines.push(`${indent}# ${path.at(-1)}:`);
      continue;
    }
    if (inside) lines.push(`${indent}${path.at(-1)}:`);
    else
      lines.push(
        value === undefined ? `${indent}# ${path.at(-1)}:` : `${indent}${path.at(-1)}: ${JSON.stringify(value)}`,
      );
  }
  return `${lines.join('\n')}\n`;
}

if (import.meta.main) {
  writeFileSync(referenceFiles.table, configTable());
  writeFileSync(referenceFiles.jsonSchema, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
}
