import { describe, expect, test } from 'vitest';
import { matches } from './pattern.ts';
import type { Pattern } from './schema.ts';

const alert = {
  PolicyName: 'p',
  Severity: '5',
  UID: 1000,
  Result: 'Killed',
  Data: 'syscall=SYS_UNLINK fd=3',
  Picket: { Rollup: { Count: 12 } },
  ATags: ['a'],
};

describe('matches()', () => {
  test.for<[Pattern, boolean]>([
    [{ PolicyName: 'p' }, true],
    [{ PolicyName: 'p', UID: 1000 }, true],
    [{ PolicyName: 'p', UID: 0 }, false],
    [{ Severity: '5' }, true],
    [{ Severity: 5 }, false],
    [{ UID: '1000' }, false],
    [{ Data: { contains: 'SYS_UNLINK' } }, true],
    [{ Data: { contains: 'sys_unlink' } }, false],
    [{ Data: { matches: 'fd=\\d$' } }, true],
    [{ Data: { matches: '^fd' } }, false],
    [{ UID: { contains: '00' } }, true],
    [{ UID: { matches: '^1000$' } }, true],
    [{ ATags: { contains: 'a' } }, false],
    [{ 'Picket.Rollup.Count': 12 }, true],
    [{ 'Picket.Rollup.Count': { matches: '^[0-9]+$' } }, true],
    [{ 'Picket.Rollup.None': { matches: '' } }, false],
    [{ 'PolicyName.length': 1 }, false],
    [{ Missing: { matches: '' } }, false],
    [{ toString: { matches: '' } }, false],
  ])('%j: %s', ([pattern, expected]) => {
    expect(matches(pattern, alert)).toBe(expected);
  });

  test('takes Killed for Permission denied where the tracepoint backend acts, and only there', () => {
    const pattern = { Result: 'Permission denied' };
    expect(matches(pattern, alert, { orKilled: true })).toBe(true);
    expect(matches(pattern, alert)).toBe(false);
    expect(matches({ Result: 'Passed' }, alert, { orKilled: true })).toBe(false);
  });
});
