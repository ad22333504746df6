import { access, outcome, verdict } from '../abi.gen.ts';
import type { Action, Qualifiers } from './rule.ts';

/** One number per kind of access (`enum picket_access`): verdict << 30 | number of the rule that counted. */
export type Outcomes = readonly number[];

/** No rule says anything, for any access. */
export const noOutcomes: Outcomes = new Array(access.ACCESS_KINDS).fill(outcome.OUTCOME_NONE);

/** A rule as far as its verdict and its rank among equals go; `number` grows with policy and position. */
export interface JudgedRule {
  action: Action;
  qualifiers: Qualifiers;
  severity: number;
  policyName: string;
  number: number;
}

/** What one rule says about one kind of access (policy language, section 13): `enum picket_verdict`. */
export function verdictOf({ action, qualifiers }: Pick<JudgedRule, 'action' | 'qualifiers'>, kind: number): number {
  const { readOnly, ownerOnly, noTerminal } = qualifiers;
  const qualified = readOnly || ownerOnly || noTerminal;
  const inOrder =
    !(readOnly && kind & access.ACCESS_CHANGE) &&
    !(ownerOnly && kind & access.ACCESS_OTHER) &&
    !(noTerminal && kind & access.ACCESS_TERMINAL);
  if (qualified && inOrder) return verdict.VERDICT_PASS;
  if (action === 'Block') return verdict.VERDICT_DENY;
  if (action === 'Audit') return verdict.VERDICT_ALERT;
  return qualified ? verdict.VERDICT_NOT_ALLOWED : verdict.VERDICT_PASS;
}

/**
 * Judges rules of equal specificity for every kind of access (sections 14.2 and 14.3): the strongest verdict counts, and
 * of the rules with that verdict the one of highest severity, then policy name, then position is the one to be named.
 */
export function judgeEqual(rules: readonly JudgedRule[]): Outcomes {
  if (rules.length === 0) return noOutcomes;
  const outcomes: number[] = [];
  for (let kind = 0; kind < access.ACCESS_KINDS; kind++) {
    let best: JudgedRule | undefined;
    let strongest = -1;
    for (const rule of rules) {
      const says = verdictOf(rule, kind);
      if (says > strongest || (says === strongest && best && compareNaming(rule, best) < 0)) {
        strongest = says;
        best = rule;
      }
    }
    // Not allowed names no rule: the posture decides, and names itself.
    const number = strongest === verdict.VERDICT_NOT_ALLOWED ? outcome.OUTCOME_POSTURE : (best?.number ?? 0);
    outcomes.push(((strongest << outcome.OUTCOME_SHIFT) | number) >>> 0);
  }
  return outcomes;
}

function compareNaming(a: JudgedRule, b: JudgedRule): number {
  if (a.severity !== b.severity) return b.severity - a.severity;
  return compareBytes(a.policyName, b.policyName) || a.number - b.number;
}

/** Order of the UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
