import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { changedNames, judgeChange } from '../../../agent/event/change.ts';
import { eventOf, outcomeOf, posture } from './records.ts';

const { OPERATION_UNLINK, OPERATION_RENAME, OPERATION_CHMOD } = abi.operation;
const noLinks = <T>(use: (read: () => { kind: 'other' }) => T): T => use(() => ({ kind: 'other' }));
const rename = { operation: OPERATION_RENAME, syscall: 82, path: 'a', base: '/w', args: ['../v/b', '/w'] };

describe('changedNames()', () => {
  it('tells both names of a rename, and that the first is behind the second by now', () => {
    expect(changedNames(eventOf(rename), noLinks)).toEqual([
      { path: '/w/a', owned: { path: '/v/b', parent: false } },
      { path: '/v/b', owned: { path: '/v/b', parent: true } },
    ]);
  });

  it('takes an empty path for the directory only where the call says so', () => {
    const empty = { operation: OPERATION_CHMOD, syscall: 452, path: '', base: '/w/d' };
    const paths = (flags: bigint) =>
      changedNames(eventOf({ ...empty, details: [5n, 0o600n, flags, 0n] }), noLinks).map(({ path }) => path);
    expect(paths(0x1000n)).toEqual(['/w/d']);
    expect(paths(0n)).toEqual(['']);
  });
});

describe('judgeChange()', () => {
  const names = { rules: [], late: [] };
  const unlink = { operation: OPERATION_UNLINK, syscall: 87, path: '/a', base: '/' };
  const refusal = () => ({ verdict: 'deny', reason: '' }) as const;

  it('has the posture refuse only where there was an allow-list at the time of the call', () => {
    const judged = (outcome: number) => judgeChange(eventOf({ ...unlink, outcome }), names, noLinks, refusal);
    expect(judged(outcomeOf('PASS', abi.outcome.OUTCOME_NONE))).toBeUndefined();
    expect(judged(outcomeOf('DENY', posture))).toMatchObject({ refused: true, outcome: outcomeOf('DENY', posture) });
  });

  it('ends nobody where nothing was to be refused', () => {
    const event = eventOf({ ...unlink, outcome: outcomeOf('DENY', posture), flags: abi.eventFlags.EVENT_AUDITED });
    expect(judgeChange(event, names, noLinks, refusal)).toMatchObject({
      refused: false,
      flags: abi.eventFlags.EVENT_AUDITED,
    });
  });

  it('tells the name that was refused, of two', () => {
    const event = eventOf({ ...rename, outcome: outcomeOf('DENY', posture) });
    const judged = judgeChange(event, names, noLinks, ({ path }) =>
      path === '/v/b' ? refusal() : { verdict: 'alert', reason: '' },
    );
    expect(judged).toMatchObject({ path: '/v/b', refused: true });
  });
});
