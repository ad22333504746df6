import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../agent/policy/diagnostic.ts';
import type { Alert } from '../../otel/alert.ts';
import type { Backend, Outcome } from './judge.ts';
import type { CommandStep } from './schema.ts';
import { runCommandStep } from './step.ts';

const step = (change: Partial<CommandStep> = {}): CommandStep => ({
  in: 'ubuntu-1',
  as: 'root',
  tty: false,
  run: 'true',
  expect: 'allowed',
  alerts: [],
  noAlerts: [],
  diagnostics: [],
  ...change,
});
const start = Date.parse('2026-01-01T00:00:00Z');
const alert = (PolicyName: string, { pod = 'ubuntu-1', at = start, Result = 'Passed' } = {}) =>
  ({ PolicyName, PodName: pod, Result, UpdatedTime: new Date(at).toISOString() }) as unknown as Alert;

interface Scene {
  outcome?: Outcome;
  /** What has arrived at each look at the store, the first one before the command. */
  arrivals?: Alert[][];
  /** Whether delivery is confirmed, each time it is asked for; then always. */
  confirmed?: boolean[];
  diagnostics?: Partial<Diagnostic>[];
  backend?: Backend;
}

/** Runs the step with a place, a product and a clock that do what is given; returns the faults, how often was looked, and the time. */
async function run(given: CommandStep, scene: Scene) {
  const { outcome = { status: 0, output: '' }, confirmed = [], arrivals = [], diagnostics = [] } = scene;
  let looks = 0;
  let now = start;
  const place = { run: async () => outcome, owns: ({ PodName }: Alert) => PodName === 'ubuntu-1' };
  const observed = {
    backend: scene.backend ?? ('lsm' as const),
    feed: { read: () => arrivals[looks++] ?? [], [Symbol.dispose]() {} },
    settle: async () => confirmed[looks - 1] ?? true,
    diagnostics: async () => diagnostics as Diagnostic[],
  };
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const faults = await runCommandStep(given, place, observed, clock);
  return { faults, looks, tookMs: now - start };
}

describe('runCommandStep()', () => {
  test('judges the command, and says what it printed', async () => {
    expect((await run(step(), {})).faults).toEqual([]);
    expect((await run(step(), { outcome: { status: 1, output: 'x\n' } })).faults).toEqual([
      'expected allowed, exit status is 1; output: "x\\n"',
    ]);
  });

  test('an alert of the workload since the start of the step meets a pattern, others do not', async () => {
    const wanted = step({ alerts: [{ PolicyName: 'p' }] });
    expect((await run(wanted, { arrivals: [[], [alert('p')]] })).faults).toEqual([]);
    for (const others of [[alert('q')], [alert('p', { pod: 'ubuntu-2' })], [alert('p', { at: start - 1 })]]) {
      const { faults, tookMs } = await run(wanted, { arrivals: [[], others] });
      expect(faults[0]).toBe('no alert meets {"PolicyName":"p"}');
      expect(tookMs).toBeGreaterThanOrEqual(10_000);
    }
  });

  test('what had arrived before the command does not count', async () => {
    const { faults } = await run(step({ noAlerts: [{ PolicyName: 'p' }] }), { arrivals: [[alert('p')]] });
    expect(faults).toEqual([]);
  });

  test('waits for alerts that come late', async () => {
    const arrivals = [[], [], [], [alert('p')]];
    const { faults, looks, tookMs } = await run(step({ alerts: [{ PolicyName: 'p' }] }), { arrivals });
    expect([faults, looks]).toEqual([[], 4]);
    expect(tookMs).toBeLessThan(10_000);
  });

  test('no alert is judged as soon as delivery is confirmed', async () => {
    const unwanted = step({ noAlerts: [{ PolicyName: 'p' }] });
    const { faults, looks, tookMs } = await run(unwanted, { arrivals: [[], []] });
    expect([faults, looks]).toEqual([[], 2]);
    expect(tookMs).toBeLessThan(2000);
    expect((await run(unwanted, { arrivals: [[], [alert('p')]] })).faults).toEqual([
      'an alert meets {"PolicyName":"p"}',
      expect.stringContaining('alert: {'),
    ]);
  });

  test('no alert is judged after two seconds when delivery is not confirmed', async () => {
    const unwanted = step({ noAlerts: [{ PolicyName: 'p' }] });
    const { faults, tookMs } = await run(unwanted, { confirmed: [false, false], arrivals: [[], [], [alert('p')]] });
    expect(faults[0]).toBe('an alert meets {"PolicyName":"p"}');
    expect(tookMs).toBeGreaterThanOrEqual(2000);
  });

  test('a step that has failed already is not waited for', async () => {
    const wanted = step({ expect: 'denied', alerts: [{ PolicyName: 'p' }] });
    const { faults, tookMs } = await run(wanted, {});
    expect(faults).toEqual([
      'expected denied, exit status is 0; output: ""',
      'no alert meets {"PolicyName":"p"}',
      'there were no alerts',
    ]);
    expect(tookMs).toBeLessThan(10_000);
  });

  test('Killed stands for Permission denied where the tracepoint backend acts, and only there', async () => {
    const wanted = step({ alerts: [{ Result: 'Permission denied' }] });
    const arrivals = [[], [alert('p', { Result: 'Killed' })]];
    expect((await run(wanted, { arrivals, backend: 'tracepoint' })).faults).toEqual([]);
    expect((await run(wanted, { arrivals })).faults).not.toEqual([]);
  });

  test('each pattern of diagnostics must be met by one that is there now', async () => {
    const wanted = step({
      diagnostics: [
        { policy: 'p', code: 'NoRules' },
        { field: { contains: 'apparmor' }, level: 'warning' },
      ],
    });
    const noRules = { policy: 'p', field: 'spec', level: 'warning', code: 'NoRules' } as const;
    const field = { policy: 'p', field: 'spec.apparmor', level: 'warning', code: 'UnsupportedField' } as const;
    expect((await run(wanted, { diagnostics: [noRules, field] })).faults).toEqual([]);
    expect((await run(wanted, { diagnostics: [noRules] })).faults).toEqual([
      'no diagnostic meets {"field":{"contains":"apparmor"},"level":"warning"}',
      `diagnostic: ${JSON.stringify(noRules)}`,
    ]);
    expect((await run(wanted, {})).faults.at(-1)).toBe('there were no diagnostics');
  });
});
