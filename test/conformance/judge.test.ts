import { describe, expect, test } from 'vitest';
import { judgeOutcome } from './judge.ts';

const allowed = { expect: 'allowed', output: undefined } as const;
const denied = { expect: 'denied', output: undefined } as const;
const passes = undefined;

describe('judgeOutcome()', () => {
  test.for([
    ['allowed: status 0', allowed, 0, '', passes],
    ['allowed: another status', allowed, 1, '', /exit status is 1/],
    ['allowed with output: the expression decides alone', { ...allowed, output: 'ab' }, 3, 'cabd', passes],
    ['allowed with output that differs', { ...allowed, output: 'ab' }, 0, 'cd', /does not match \/ab\//],
    ['allowed: newlines at the end do not count', { ...allowed, output: 'b$' }, 0, 'ab\n\n', passes],
    ['allowed: $ is the end of the whole text', { ...allowed, output: 'a$' }, 0, 'a\nb\n', /does not match/],
    ['denied: refused', denied, 1, 'cat: x: Permission denied\n', passes],
    ['denied: not permitted', denied, 2, 'Operation not permitted', passes],
    ['denied: status 0', denied, 0, 'Permission denied', /exit status is 0/],
    ['denied: another reason', denied, 1, 'No such file', /does not match/],
    ['denied with output: instead of the usual one', { ...denied, output: 'Bad address' }, 1, 'Bad address', passes],
    ['denied with output that differs', { ...denied, output: 'Bad' }, 1, 'Permission denied', /does not match \/Bad\//],
    ['denied: killed is no refusal', denied, 137, 'Killed', /does not match/],
    ['a command that never ended', allowed, undefined, '', /not over in time/],
  ] as const)('%s', ([, step, status, output, expected]) => {
    const wrong = judgeOutcome(step, { status, output }, 'lsm');
    if (expected) expect(wrong).toMatch(expected);
    else expect(wrong).toBeUndefined();
  });

  test.for([
    ['ended by SIGKILL', 137, '', passes],
    ['a child ended by SIGKILL, as a shell says', 1, 'Killed\ncat: x', passes],
    ['refused by a socket hook', 1, 'Permission denied', passes],
    ['not ended', 0, 'Killed', /exit status is 0/],
    ['ended otherwise', 139, '', /does not match/],
  ] as const)('denied where the tracepoint backend acts: %s', ([, status, output, expected]) => {
    const wrong = judgeOutcome(denied, { status, output }, 'tracepoint');
    if (expected) expect(wrong).toMatch(expected);
    else expect(wrong).toBeUndefined();
  });
});
