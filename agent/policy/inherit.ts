import type { Action } from './rule.ts';

/** The four values that may stand in the spec, in a category and in a rule. */
export interface Levels {
  severity?: number | undefined;
  tags?: readonly string[] | undefined;
  message?: string | undefined;
  action?: string | undefined;
}

export interface Inherited {
  severity: number;
  tags: readonly string[];
  message: string;
  action: Action;
}

/** Looks each value up by itself: rule first, then category, then spec, then the default. */
export function inherit(rule: Levels, category: Levels, spec: Levels, defaultAction: Action = 'Block'): Inherited {
  return {
    severity: rule.severity ?? category.severity ?? spec.severity ?? 1,
    tags: rule.tags ?? category.tags ?? spec.tags ?? [],
    message: rule.message ?? category.message ?? spec.message ?? '',
    action: canonicalAction(rule.action ?? category.action ?? spec.action ?? defaultAction),
  };
}

/** `block`, `BLOCK` → `Block`. */
export function canonicalAction(written: string): Action {
  const lower = written.toLowerCase();
  return lower === 'allow' ? 'Allow' : lower === 'audit' ? 'Audit' : 'Block';
}
