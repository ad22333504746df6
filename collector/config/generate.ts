import { writeFileSync } from 'node:fs';
import { configJsonSchema, configTable } from './reference.ts';

// Writes the committed table of keys and the JSON Schema; a test compares them.
writeFileSync(new URL('./keys.md', import.meta.url), configTable());
writeFileSync(new URL('./schema.gen.json', import.meta.url), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
