import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const here = join(import.meta.dirname, 'cases');
const shared = process.env.PICKET_SHARED ?? join(import.meta.dirname, '../../../shared');
const source = join(shared, 'conformance');
const yaml = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('cases/', () => {
  test('holds the cases of the format description, unchanged', ({ skip }) => {
    skip(!existsSync(source), `${source} is not there to compare with (PICKET_SHARED names its parent)`);
    expect(yaml(here).sort()).toEqual(yaml(source).sort());
    for (const name of yaml(source))
      expect(readFileSync(join(here, name), 'utf8'), name).toBe(readFileSync(join(source, name), 'utf8'));
  });
});
