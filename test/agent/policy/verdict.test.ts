import { describe, expect, it } from 'vitest';
import type { Action } from '../../../agent/policy/rule.ts';
import { type JudgedRule, judgeEqual, verdictOf } from '../../../agent/policy/verdict.ts';

/** The tables of the policy language, section 13, word for word. */
const fileTable = `
  Allow |                     | pass  | pass        | pass        | pass
  Allow | readOnly            | pass  | not allowed | pass        | not allowed
  Allow | ownerOnly           | pass  | pass        | not allowed | not allowed
  Allow | ownerOnly, readOnly | pass  | not allowed | not allowed | not allowed
  Audit |                     | alert | alert       | alert       | alert
  Audit | readOnly            | pass  | alert       | pass        | alert
  Audit | ownerOnly           | pass  | pass        | alert       | alert
  Audit | ownerOnly, readOnly | pass  | alert       | alert       | alert
  Block |                     | deny  | deny        | deny        | deny
  Block | readOnly            | pass  | deny        | pass        | deny
  Block | ownerOnly           | pass  | pass        | deny        | deny
  Block | ownerOnly, readOnly | pass  | deny        | deny        | deny
`;
const ptsTable = `
  Allow | pass | not allowed
  Audit | pass | alert
  Block | pass | deny
`;

const verdicts = ['not allowed', 'pass', 'alert', 'deny'];
const change = 1;
const other = 2;
const terminal = 4;

function cells(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
}

describe('verdictOf()', () => {
  it.each(cells(fileTable))('%s %s', (action, written, ...expected) => {
    const qualifiers = {
      readOnly: written?.includes('readOnly') ?? false,
      ownerOnly: written?.includes('ownerOnly') ?? false,
      noTerminal: false,
    };
    for (const onTerminal of [0, terminal]) {
      const found = [0, change, other, other | change].map(
        (kind) => verdicts[verdictOf({ action: action as Action, qualifiers }, kind | onTerminal)],
      );
      expect(found).toEqual(expected);
    }
  });

  it.each(cells(ptsTable))('%s, pts: false', (action, ...expected) => {
    const qualifiers = { readOnly: false, ownerOnly: false, noTerminal: true };
    for (const rest of [0, change, other, change | other])
      expect(
        [0, terminal].map((kind) => verdicts[verdictOf({ action: action as Action, qualifiers }, kind | rest)]),
      ).toEqual(expected);
  });

  it.each(cells(ptsTable))('%s, allowedArgs', (action, ...expected) => {
    const qualifiers = { readOnly: false, ownerOnly: false, noTerminal: false, allowedArgs: [] };
    for (const rest of [0, other, terminal])
      expect([0, 1].map((kind) => verdicts[verdictOf({ action: action as Action, qualifiers }, kind | rest)])).toEqual(
        expected,
      );
  });

  it.each(['Allow', 'Audit', 'Block'] as const)('%s with all qualifiers is in order only when all hold', (action) => {
    const qualifiers = { readOnly: true, ownerOnly: true, noTerminal: true };
    const found = [0, 1, 2, 3, 4, 5, 6, 7].map((kind) => verdicts[verdictOf({ action, qualifiers }, kind)]);
    const otherwise = { Allow: 'not allowed', Audit: 'alert', Block: 'deny' }[action];
    expect(found).toEqual(['pass', ...new Array(7).fill(otherwise)]);
  });
});

describe('judgeEqual()', () => {
  const none = { readOnly: false, ownerOnly: false, noTerminal: false };
  const rule = (number: number, action: Action, fields: Partial<JudgedRule> = {}): JudgedRule => ({
    action,
    qualifiers: none,
    number,
    ...fields,
  });
  const outcome = (verdict: number, number: number) => verdict * 2 ** 30 + number;
  const noRule = 0x3fffffff;
  const posture = 0x3ffffffe;

  it('says NONE without a rule', () => {
    expect(judgeEqual([])).toEqual(new Array(8).fill(noRule));
  });

  it('takes Block over Audit over Allow, whatever the order', () => {
    const allow = rule(0, 'Allow');
    const audit = rule(1, 'Audit');
    const block = rule(2, 'Block');
    for (const rules of [
      [allow, audit, block],
      [block, audit, allow],
      [audit, block, allow],
    ])
      expect(judgeEqual(rules)).toEqual(new Array(8).fill(outcome(3, 2)));
    for (const rules of [
      [allow, audit],
      [audit, allow],
    ])
      expect(judgeEqual(rules)).toEqual(new Array(8).fill(outcome(2, 1)));
  });

  it('takes the more generous of two Allow rules', () => {
    const narrow = rule(0, 'Allow', { qualifiers: { ...none, readOnly: true } });
    expect(judgeEqual([narrow, rule(1, 'Allow')])[change]).toBe(outcome(1, 1));
    expect(judgeEqual([narrow])[change]).toBe(posture);
  });

  it('lets no exception of a Block rule weaken an Audit or another Block', () => {
    const exception = rule(0, 'Block', { qualifiers: { ...none, readOnly: true } });
    expect(judgeEqual([exception, rule(1, 'Audit')]).slice(0, 2)).toEqual([outcome(2, 1), outcome(3, 0)]);
    expect(judgeEqual([exception, rule(1, 'Block')])[0]).toBe(outcome(3, 1));
  });

  it('takes the exception of a Block rule over an Allow that is not met', () => {
    const exception = rule(0, 'Block', { qualifiers: { ...none, ownerOnly: true } });
    const narrow = rule(1, 'Allow', { qualifiers: { ...none, readOnly: true } });
    expect(judgeEqual([exception, narrow])[change]).toBe(outcome(1, 0));
  });

  it('names the one with the lowest number', () => {
    const named = (...rules: JudgedRule[]) => (judgeEqual(rules)[0] ?? 0) & noRule;
    expect(named(rule(0, 'Block'), rule(1, 'Block'))).toBe(0);
    expect(named(rule(4, 'Block'), rule(3, 'Block'))).toBe(3);
    expect(named(rule(4, 'Audit'), rule(3, 'Allow'))).toBe(4);
  });
});
