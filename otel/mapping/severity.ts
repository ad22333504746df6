import type { Alert } from '../alert.ts';

const INFO = 9;
const WARN = 13;

/** `severity_number` by severity 1 … 10: rising, two of them sharing a number at most. */
const NUMBERS = [INFO, INFO, 11, 11, WARN, 14, 17, 18, 21, 22] as const;

/**
 * Number and text of OTLP for an alert: by its severity, and of a posture by whether it refused. System events are
 * information, but a roll-up counts as much as the rule it sums up.
 */
export function severity(alert: Alert): { number: number; text: string } {
  if (alert.Type === 'SystemEvent' && alert.Operation !== 'AlertThreshold') {
    return { number: INFO, text: alert.Severity ?? '' };
  }
  if (alert.Severity !== undefined)
    return { number: NUMBERS[Number(alert.Severity) - 1] ?? INFO, text: alert.Severity };
  if (alert.PolicyName !== 'DefaultPosture') return { number: INFO, text: '' };
  return { number: refused(alert) ? WARN : INFO, text: alert.Action ?? '' };
}

/** Whether the access did not happen. An event without a result, such as a roll-up, goes by its action. */
export function refused(alert: Pick<Alert, 'Result' | 'Action'>): boolean {
  return alert.Result === undefined ? alert.Action === 'Block' : alert.Result !== 'Passed';
}
