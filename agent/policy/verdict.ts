import { access, outcome, verdict } from '../abi.gen.ts';
import type { Action, Qualifiers } from './rule.ts';

/** One number per kind of access (`enum picket_access`): verdict << 30 | number of the rule that counted. */
export type Outcomes = readonly number[];

/** No rule says anything, for any access. */
export const noOutcomes: Outcomes = new Array(access.ACCESS_KINDS).fill(outcome.OUTCOME_NONE);

/** A rule as far as its verdict and its rank among equals go: of equals the one with the lowest number is named. */
export interface JudgedRule {
  action: Action;
  qualifiers: Qualifiers;
  number: number;
}

/** The verdict, and the rule that gave it. */
export function outcomeOf(says: number, number: number): number {
  return ((says << outcome.OUTCOME_SHIFT) | number) >>> 0;
}

/** What one rule says about one kind of access (policy language, section 13): `enum picket_verdict`. */
export function verdictOf({ action, qualifiers }: Pick<JudgedRule, 'action' | 'qualifiers'>, kind: number): number {
  const { readOnly, ownerOnly, noTerminal, allowedArgs } = qualifiers;
  const qualified = readOnly || ownerOnly || noTerminal || allowedArgs !== undefined;
  const inOrder =
    !(readOnly && kind & access.ACCESS_CHANGE) &&
    !(allowedArgs && kind & access.ACCESS_UNLISTED) &&
    !(ownerOnly && kind & access.ACCESS_OTHER) &&
    !(noTerminal && kind & access.ACCESS_TERMINAL);
  if (qualified && inOrder) return verdict.VERDICT_PASS;
  if (action === 'Block') return verdict.VERDICT_DENY;
  if (action === 'Audit') return verdict.VERDICT_ALERT;
  return qualified ? verdict.VERDICT_NOT_ALLOWED : verdict.VERDICT_PASS;
}

/**
 * Judges rules of equal specificity for every kind of access (sections 14.2 and 14.3): the strongest verdict counts, and
 * of the rules with that verdict the one with the lowest number is named. bpf/judge.h decides between the outcomes of
 * several keys in the same way.
 */
export function judgeEqual(rules: readonly JudgedRule[]): Outcomes {
  if (rules.length === 0) return noOutcomes;
  const outcomes: number[] = [];
  for (let kind = 0; kind < access.ACCESS_KINDS; kind++) {
    let number = 0;
    let strongest = -1;
    for (const rule of rules) {
      const says = verdictOf(rule, kind);
      if (says < strongest || (says === strongest && rule.number > number)) continue;
      strongest = says;
      number = rule.number;
    }
    // Not allowed names no rule: the posture decides, and names itself.
    outcomes.push(outcomeOf(strongest, strongest === verdict.VERDICT_NOT_ALLOWED ? outcome.OUTCOME_POSTURE : number));
  }
  return outcomes;
}

/** Order of the UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
