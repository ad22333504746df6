import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { alertSchema } from './alert.ts';

/** Where the generated JSON Schema of an alert lies, for consumers of the Kafka topic. */
export const alertSchemaFile = new URL('alert.schema.json', import.meta.url);

/**
 * The JSON Schema of an alert. `node otel/alert-schema.ts && biome check --write otel/alert.schema.json` writes it to
 * its file; a test compares.
 */
export function alertJsonSchema(): object {
  return { title: 'Picket alert', ...z.toJSONSchema(alertSchema, { target: 'draft-2020-12' }) };
}

if (import.meta.main) writeFileSync(alertSchemaFile, `${JSON.stringify(alertJsonSchema(), null, 2)}\n`);
