import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsePolicyObject } from '../../../agent/policy/read.ts';

interface Pattern {
  policy?: string;
  field?: string | { contains: string };
  level?: string;
  code?: string;
}

interface Case {
  policies: unknown[];
  steps: { apply?: unknown[]; diagnostics?: Pattern[] }[];
}

const folder = join(import.meta.dirname, '../../conformance/cases');
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('the policies of the conformance cases are understood', () => {
  it('all of them are here', () => expect(names.length).toBeGreaterThan(140));

  it.each(names)('%s', (name) => {
    const { policies, steps } = parse(readFileSync(join(folder, name), 'utf8')) as Case;
    const diagnostics = [...policies, ...steps.flatMap(({ apply }) => apply ?? [])].flatMap(
      (object) => parsePolicyObject(object).diagnostics,
    );
    const expected = steps
      .flatMap(({ diagnostics: patterns }) => patterns ?? [])
      .filter(({ policy }) => policy !== undefined);
    for (const { policy, field, level, code } of expected) {
      const part = typeof field === 'string' ? field : (field?.contains ?? '');
      const found = diagnostics.filter((one) => one.policy === policy && one.code === code && one.field.includes(part));
      expect(found.map((one) => one.level)).toEqual([level ?? expect.anything()]);
    }
    // Nothing else is found wrong but what this version does not enforce yet.
    const surprising = diagnostics.filter(
      ({ code, policy }) =>
        code !== 'LoadFailed' &&
        code !== 'NormalisedValue' &&
        !expected.some((pattern) => pattern.policy === policy && pattern.code === code),
    );
    expect(surprising).toEqual([]);
  });
});
