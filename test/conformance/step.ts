import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../otel/alert.ts';
import type { Container, Machine } from './container.ts';
import { judgeOutcome } from './judge.ts';
import { matches } from './pattern.ts';
import type { Target } from './pods.ts';
import type { Product } from './product.ts';
import type { CommandStep, Pattern } from './schema.ts';
import { runInContainer } from './session.ts';

const ALERTS_AWAITED_MS = 10_000;
const NO_ALERTS_AFTER_MS = 2000;

/** Runs a command step and judges it; returns what went wrong, nothing when the step passes. */
export async function runCommandStep(
  step: CommandStep,
  target: Target,
  container: Container,
  machine: Machine,
  product: Product,
): Promise<string[]> {
  const startMs = Date.now();
  product.feed.read();
  const outcome = await runInContainer(machine, container, step);
  const endMs = performance.now();

  const faults: string[] = [];
  const wrong = judgeOutcome(step, outcome, product.backend);
  if (wrong) faults.push(`${wrong}; output: ${JSON.stringify(outcome.output.slice(0, 2000))}`);
  if (step.alerts.length === 0 && step.noAlerts.length === 0) return faults;

  const alerts: Alert[] = [];
  const collect = async (timeoutMs: number): Promise<boolean> => {
    const settled = await product.settle(timeoutMs);
    alerts.push(...product.feed.read().filter((alert) => belongs(alert, target, startMs)));
    return settled;
  };
  const met = (pattern: Pattern) =>
    alerts.some((alert) => matches(pattern, alert, { orKilled: product.backend === 'tracepoint' }));

  const settled = await collect(NO_ALERTS_AFTER_MS);
  if (!settled && step.noAlerts.length > 0) {
    await sleep(Math.max(0, endMs + NO_ALERTS_AFTER_MS - performance.now()));
    await collect(0);
  }
  for (const pattern of step.noAlerts) if (met(pattern)) faults.push(`an alert meets ${JSON.stringify(pattern)}`);

  // A step that has failed already is not waited for
  while (!wrong && !step.alerts.every(met) && performance.now() < endMs + ALERTS_AWAITED_MS) {
    await sleep(100);
    await collect(1000);
  }
  for (const pattern of step.alerts) if (!met(pattern)) faults.push(`no alert meets ${JSON.stringify(pattern)}`);
  if (faults.length > 0) faults.push(...describeAlerts(alerts));
  return faults;
}

/** Alerts of a step are those of its workload with an event time since its start. */
function belongs(alert: Alert, { pod, container }: Target, startMs: number): boolean {
  return (
    alert.NamespaceName === pod.namespace &&
    alert.PodName === pod.name &&
    alert.ContainerName === container &&
    Date.parse(alert.UpdatedTime) >= startMs
  );
}

function describeAlerts(alerts: Alert[]): string[] {
  if (alerts.length === 0) return ['there were no alerts'];
  const shown = alerts.slice(0, 5).map((alert) => `alert: ${JSON.stringify(alert)}`);
  return alerts.length > shown.length ? [...shown, `and ${alerts.length - shown.length} more alerts`] : shown;
}
