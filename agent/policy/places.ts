import { z } from 'zod';
import type { Diagnostic } from './diagnostic.ts';
import { formatField } from './field.ts';
import type { Locate } from './report.ts';
import type { Policy } from './rule.ts';

/** Where in its file stands what is told about a policy: line and column by field. */
export const placesSchema = z.strictObject({
  file: z.string(),
  at: z.record(z.string(), z.tuple([z.int().min(1), z.int().min(1)])),
});
export type Places = z.infer<typeof placesSchema>;

/** The places of a policy's rules and of what was found in it; undefined: it came from no file. */
export function placesOf({ rules, presets }: Policy, diagnostics: readonly Diagnostic[]): Places | undefined {
  const known = [...rules, ...presets].map(({ where, position }) => ({ where, position }));
  const told = diagnostics.map(({ field, position }) => ({ where: field, position }));
  const at: Places['at'] = {};
  let file: string | undefined;
  for (const { where, position } of [...known, ...told]) {
    if (position === undefined) continue;
    file ??= position.file;
    at[where] = [position.line, position.column];
  }
  return file === undefined ? undefined : { file, at };
}

/** Finds what stood there, or else what it stood in. */
export function locateIn(places: Places | undefined): Locate {
  return (path) => {
    if (places === undefined) return undefined;
    for (let length = path.length; length > 0; length--) {
      const field = formatField(path.slice(0, length));
      const found = Object.hasOwn(places.at, field) ? places.at[field] : undefined;
      if (found !== undefined) return { file: places.file, line: found[0], column: found[1] };
    }
    return undefined;
  };
}
