import { describe, expect, test } from 'vitest';
import { parseCase } from './case.ts';
import type { Need } from './schema.ts';
import { reasonToSkip } from './support.ts';

const parse = (head: string, step: string) =>
  parseCase(`case: c\nabout: a\npolicies: []\n${head}\nsteps:\n- ${step}\n`, 'c.yaml');
const command = '{in: ubuntu-1, run: ls, expect: allowed}';
const settings = ['throttleSec', 'maxAlertPerSec'];

describe('reasonToSkip()', () => {
  test.for<[string, string, Need[], string | undefined]>([
    ['', command, [], undefined],
    ['needs: [lsm]', command, ['lsm'], undefined],
    ['needs: [lsm, userns]', command, ['lsm'], 'needs userns'],
    ['needs: [lsm, userns]', command, [], 'needs lsm, userns'],
    ['', '{in: host, run: ls, expect: allowed}', ['lsm'], 'needs host'],
    ['needs: [host]', '{in: host, run: ls, expect: allowed}', ['lsm'], 'needs host'],
    ['', '{in: host, run: ls, expect: allowed}', ['host'], undefined],
    ['config: {throttleSec: 5}', command, [], undefined],
    ['config: {alertThrottling: false}', command, [], undefined],
    ['config: {alertThrottling: true}', command, [], 'needs the agent setting alertThrottling'],
    [
      'config: {throttleSec: 5, alertThrottling: true}\nneeds: [dns]',
      command,
      [],
      'needs dns, the agent setting alertThrottling',
    ],
  ])('%s %s with %j: %s', ([head, step, available, expected]) => {
    expect(reasonToSkip(parse(head, step), new Set(available), settings)).toBe(expected);
  });
});
