import { settingsSchema } from '../../agent/policy/settings.ts';
import type { Case, Need } from './schema.ts';

/** Why a case cannot be run here (a reason to skip it, visibly), or undefined. `settings`: those that the agent knows. */
export function reasonToSkip(
  given: Pick<Case, 'needs' | 'steps' | 'config'>,
  available: ReadonlySet<Need>,
  settings: readonly string[] = Object.keys(settingsSchema.shape),
): string | undefined {
  const needs = new Set([...given.needs, ...(usesNode(given) ? (['host'] as const) : [])]);
  const missing: string[] = [...needs].filter((need) => !available.has(need));
  const unknown = Object.keys(asked(given.config, settings)).filter((key) => !settings.includes(key));
  if (unknown.length > 0) missing.push(`the agent setting ${unknown.join(', ')}`);
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;
}

/** What a case asks of the agent's settings; one that cannot throttle need not be told that every alert is to be sent. */
export function asked(config: Case['config'], settings: readonly string[]): NonNullable<Case['config']> {
  const { alertThrottling, ...rest } = config ?? {};
  return alertThrottling === false && !settings.includes('alertThrottling') ? rest : (config ?? {});
}

/** Whether a case acts on the node itself. */
export function usesNode({ needs, steps }: Pick<Case, 'needs' | 'steps'>): boolean {
  return needs.includes('host') || steps.some((step) => step.kind === 'command' && step.in === 'host');
}
