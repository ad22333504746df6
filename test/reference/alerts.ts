import type { Alert } from '../../otel/alert.ts';
import type { Expectation } from './round.ts';
import type { Category } from './written.ts';

/** An alert as far as it is compared: `File p0 Block /a/b`. */
type Line = string;

/** What one call that was made should have said. */
export interface Said {
  expectation: Expectation;
  /** The call came to what it comes to without rules, or was refused: whether its hooks were reached is known. */
  certain: boolean;
  /** It returned success, EPERM or EACCES, or did not return. */
  reported: boolean;
}

const operations: Record<Category, Alert['Operation']> = {
  ...{ process: 'Process', file: 'File', network: 'Network', dns: 'Network', capabilities: 'Capabilities' },
  syscalls: 'Syscall',
};

/** Names that are no ASCII are shown in one way or another (how is tested elsewhere); the number of a nameless file is nobody's. */
const plain = (path: string): string => (/^[\x20-\x7e]*$/.test(path) ? path.replace(/\/#[0-9]+$/, '/#N') : '?');

/** Alerts that came and should not have, and those that should have and did not; no lines: none of either. */
export function compareAlerts(said: readonly Said[], alerts: readonly Alert[]): string[] {
  const wanted = new Map<Line, number>();
  const possible = new Set<Line>();
  /** Programs about which presets may note alerts of their own. */
  const noted = new Set<string>();
  const want = (line: Line) => wanted.set(line, (wanted.get(line) ?? 0) + 1);
  for (const { expectation, certain, reported } of said) {
    const { call } = expectation;
    if (call?.verdict === 'alert' && reported) {
      const line = `Syscall ${call.policy} Audit`;
      possible.add(line);
      want(line);
    }
    const lines = expectation.decisions.flatMap(({ judged: { access }, decision }): Line[] => {
      if (decision.verdict === 'pass') return [];
      const path = access.category === 'file' || access.category === 'process' ? plain(access.path ?? '') : '';
      return [`${operations[access.category]} ${decision.policy} ${decision.action} ${path}`.trimEnd()];
    });
    for (const line of lines) possible.add(line);
    for (const { judged } of expectation.decisions)
      if (judged.access.presets?.length) noted.add(plain(judged.access.path ?? ''));
    // a call with two objects is one decision, and one alert; a capability may be asked for more than once
    const repeats =
      lines.length > 1 ||
      // an Audit preset notes an alert of its own, a Block preset in an audited workload another
      expectation.decisions.some(({ judged }) => (judged.access.presets ?? []).length > 0) ||
      expectation.decisions.some(({ judged }) => judged.access.category === 'capabilities');
    if (certain && !repeats && !expectation.mayBeSilent) for (const line of lines) want(line);
  }
  const found = new Map<Line, number>();
  for (const alert of alerts) {
    const line = lineOf(alert);
    if (alert.Operation === 'Process' && noted.has(line.split(' ').at(-1) ?? '')) possible.add(line);
    found.set(line, (found.get(line) ?? 0) + 1);
  }
  return [
    ...[...found.keys()].filter((line) => !possible.has(line)).map((line) => `not expected: ${line}`),
    ...[...wanted]
      .filter(([line, count]) => (found.get(line) ?? 0) < count)
      .map(([line, count]) => `${found.get(line) ?? 0} of ${count}: ${line}`),
  ];
}

function lineOf({ Operation, PolicyName, Action, Resource = '' }: Alert): Line {
  // a program is shown with its arguments
  const path = Operation === 'File' ? Resource : Operation === 'Process' ? (Resource.split(' ')[0] ?? '') : '';
  return `${Operation} ${PolicyName} ${Action} ${plain(path)}`.trimEnd();
}
