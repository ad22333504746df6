import { describe, expect, test } from 'vitest';
import { parseCase } from './case.ts';
import type { Need } from './schema.ts';
import { reasonToSkip } from './support.ts';

const parse = (head: string, step: string) =>
  parseCase(`case: c\nabout: a\npolicies: []\n${head}\nsteps:\n- ${step}\n`, 'c.yaml');
const command = '{in: ubuntu-1, run: ls, expect: allowed}';

describe('reasonToSkip()', () => {
  test.for<[string, string, Need[], string | undefined]>([
    ['', command, [], undefined],
    ['needs: [lsm]', command, ['lsm'], undefined],
    ['needs: [lsm, userns]', command, ['lsm'], 'needs userns'],
    ['', '{in: ubuntu-1, tty: true, run: ls, expect: allowed}', [], 'not supported by this runner yet: tty'],
    ['', '{in: host, run: ls, expect: allowed}', [], 'not supported by this runner yet: in: host'],
    [
      '',
      '{in: ubuntu-1, run: ls, expect: allowed, diagnostics: [{level: info}]}',
      [],
      'not supported by this runner yet: diagnostics',
    ],
    ['', 'delete: [p]', [], 'not supported by this runner yet: delete steps'],
    ['config: {throttleSec: 5}', command, [], 'not supported by this runner yet: config'],
  ])('%s %s', ([head, step, available, expected]) => {
    expect(reasonToSkip(parse(head, step), new Set(available))).toBe(expected);
  });
});
