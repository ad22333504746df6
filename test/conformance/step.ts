import { setTimeout } from 'node:timers/promises';
import type { Diagnostic } from '../../agent/policy/diagnostic.ts';
import type { Alert } from '../../otel/alert.ts';
import { judgeOutcome, type Outcome } from './judge.ts';
import { matches } from './pattern.ts';
import type { Product } from './product.ts';
import type { CommandStep, Pattern } from './schema.ts';
import type { Command } from './session.ts';

const ALERTS_AWAITED_MS = 10_000;
const NO_ALERTS_AFTER_MS = 2000;

/** Where a command acts: a container, or the node. */
export interface Place {
  run(command: Command): Promise<Outcome>;
  /** Whether an alert is about it. */
  owns(alert: Alert): boolean;
}

/** What is observed of the product beside the command itself. */
export interface Observed extends Pick<Product, 'backend' | 'feed' | 'settle'> {
  diagnostics(): Promise<Diagnostic[]>;
}

/** Time since 1970, in milliseconds. */
export interface Clock {
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

/** Runs a command step and judges it; returns what went wrong, nothing when the step passes. */
export async function runCommandStep(
  step: CommandStep,
  place: Place,
  observed: Observed,
  { now, sleep }: Clock = { now: Date.now, sleep: setTimeout },
): Promise<string[]> {
  const { backend, feed } = observed;
  const startMs = now();
  feed.read();
  const outcome = await place.run(step);
  const endMs = now();

  const faults: string[] = [];
  const wrong = judgeOutcome(step, outcome, backend);
  if (wrong) faults.push(`${wrong}; output: ${JSON.stringify(outcome.output.slice(0, 2000))}`);

  const alerts: Alert[] = [];
  const collect = async (timeoutMs: number): Promise<boolean> => {
    const settled = await observed.settle(timeoutMs);
    alerts.push(...feed.read().filter((alert) => Date.parse(alert.UpdatedTime) >= startMs && place.owns(alert)));
    return settled;
  };
  const met = (pattern: Pattern) =>
    alerts.some((alert) => matches(pattern, alert, { orKilled: backend === 'tracepoint' }));

  if (step.alerts.length > 0 || step.noAlerts.length > 0) {
    const settled = await collect(NO_ALERTS_AFTER_MS);
    if (!settled && step.noAlerts.length > 0) {
      await sleep(Math.max(0, endMs + NO_ALERTS_AFTER_MS - now()));
      await collect(0);
    }
    for (const pattern of step.noAlerts) if (met(pattern)) faults.push(`an alert meets ${JSON.stringify(pattern)}`);

    // A step that has failed already is not waited for
    while (!wrong && !step.alerts.every(met) && now() < endMs + ALERTS_AWAITED_MS) {
      await sleep(100);
      await collect(1000);
    }
    for (const pattern of step.alerts) if (!met(pattern)) faults.push(`no alert meets ${JSON.stringify(pattern)}`);
    if (faults.length > 0) faults.push(...describe('alert', alerts));
  }

  if (step.diagnostics.length > 0) {
    const present = await observed.diagnostics();
    const missing = step.diagnostics.filter((pattern) => !present.some((diagnostic) => matches(pattern, diagnostic)));
    for (const pattern of missing) faults.push(`no diagnostic meets ${JSON.stringify(pattern)}`);
    if (missing.length > 0) faults.push(...describe('diagnostic', present));
  }
  return faults;
}

function describe(what: string, found: object[]): string[] {
  if (found.length === 0) return [`there were no ${what}s`];
  const shown = found.slice(0, 5).map((one) => `${what}: ${JSON.stringify(one)}`);
  return found.length > shown.length ? [...shown, `and ${found.length - shown.length} more ${what}s`] : shown;
}
