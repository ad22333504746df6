import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { parseConfig } from '../../../collector/config/file.ts';
import { configJsonSchema, configTable, defaultsYaml } from '../../../collector/config/reference.ts';
import { completeConfig, configSchema } from '../../../collector/config/schema.ts';

const PLACES = { stateDir: '/var/lib/picket/collector', runDir: '/run/picket' };
const committed = (name: string) => readFileSync(new URL(`../../../collector/config/${name}`, import.meta.url), 'utf8');

// After a change of the schema: node collector/config/generate.ts
test('configTable() and configJsonSchema() are what is committed', () => {
  expect(configTable()).toBe(committed('keys.md'));
  expect(`${JSON.stringify(configJsonSchema(), null, 2)}\n`).toBe(committed('schema.gen.json'));
});

test('defaultsYaml() is a valid file that says the defaults', () => {
  expect(parseConfig(defaultsYaml(), 'd.yaml', PLACES)).toEqual({
    kind: 'ok',
    config: completeConfig(configSchema.parse({}), PLACES),
  });
  const kafka = parseDocument(defaultsYaml().replaceAll(/^# (?=( *#|kafka:| {2}))/gm, '')).toJS();
  expect(configSchema.parse(kafka).kafka).toEqual(configSchema.parse({ kafka: { brokers: ['127.0.0.1:9092'] } }).kafka);
});
