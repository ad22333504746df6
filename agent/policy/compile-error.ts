import { type Diagnostic, diagnose, subjectOf } from './diagnostic.ts';
import type { PolicyIdentity, Rule } from './rule.ts';

/** The policies cannot be put in force on this workload; its generation in force stays. */
export class CompileError extends Error {
  readonly code = 'LoadFailed';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics[0]?.message ?? 'the rules cannot be put in force');
    this.diagnostics = diagnostics;
  }
}

/** The error that one rule causes. */
export function ruleError({ policy, where, position }: Rule, message: string): CompileError {
  return new CompileError([diagnose(subjectOf(policy), 'LoadFailed', where, message, position)]);
}

/** The error that a policy causes as a whole. */
export function policyError(policy: PolicyIdentity, message: string): CompileError {
  return new CompileError([diagnose(subjectOf(policy), 'LoadFailed', 'spec', message)]);
}

/** A rule came this far that the kernel side does not know (coverage.ts should have refused its policy). */
export function uncoveredError(rule: Rule): CompileError {
  return ruleError(rule, 'this version does not enforce the rule; the policy is not loaded');
}
