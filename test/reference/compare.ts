import { type Actor, actors, twinOf } from './actors.ts';
import { compareAlerts, type Said } from './alerts.ts';
import type { Bench } from './bench.ts';
import { describe, type Operation } from './operation.ts';
import { type Act, type Enforcement, type Plan, plan } from './plan.ts';
import { treeOf } from './random-world.ts';
import type { Step } from './records.ts';
import { type Expectation, expectationsOf, type Round, workloadOf } from './round.ts';
import { buildSteps, describeStep, record, runAll, tidy } from './stage.ts';

const EPERM = 1;
const EACCES = 13;

export interface Difference {
  /** Undefined: it is about the alerts of all of them. */
  operation: Operation | undefined;
  /** What the page says, what the kernel did. */
  said: string;
  did: string;
}

export interface Outcome {
  /** Decisions compared. */
  decisions: number;
  differences: Difference[];
  /** How often which kind of decision came about. */
  tally: Map<string, number>;
  /** Operations that the kernel itself refuses with the same error: they tell nothing. */
  mute: number;
  /** Alerts compared. */
  alerts: number;
  /** Milliseconds. */
  times: { build: number; apply: number; run: number };
}

interface Sequence {
  operation: Operation;
  expectations: Expectation[];
  steps: Step[];
  /** Per act: where its result stands, of the twin and of the actor. */
  places: { twin: number; actor: number }[];
}

/** Puts a round on the stage and compares what every operation returns with what the page says; `alerts`: those too. */
export async function compareRound(bench: Bench, round: Round, alerts: boolean): Promise<Outcome> {
  const tree = treeOf(round.addition);
  const workload = workloadOf(round, tree);
  const sequences: Sequence[] = [];
  const steps: Step[] = [];
  for (const operation of round.operations) {
    const made = plan(tree, operation, bench.backend as Enforcement);
    if (!made) continue;
    const actor = actors.find(({ number }) => number === operation.actor) as Actor;
    const sequence: Sequence = { operation, expectations: expectationsOf(round, made, workload), steps, places: [] };
    const twin = perform(steps, made, actor.number, twinOf(actor).number);
    const own = perform(steps, made, actor.number, actor.number);
    sequence.places = twin.map((place, index) => ({ twin: place, actor: own[index] as number }));
    sequences.push(sequence);
  }

  const started = performance.now();
  try {
    await runAll(bench, buildSteps(round.addition));
    const built = performance.now();
    await applyRules(bench, round);
    if (alerts) await bench.ask({ kind: 'alerts' }); // those of rounds before
    const applied = performance.now();
    const results = await bench.run(steps, true);
    const { outcome, said } = judge(sequences, steps, results);
    if (alerts) {
      const { alerts: given } = await bench.ask({ kind: 'alerts' });
      outcome.alerts = given.length;
      const wrong = compareAlerts(said, given);
      if (wrong.length > 0) outcome.differences.push({ operation: undefined, said: 'alerts', did: wrong.join('\n  ') });
    }
    outcome.times = { build: built - started, apply: applied - built, run: performance.now() - applied };
    return outcome;
  } finally {
    await tidy(bench, round.addition);
  }
}

/** Adds the steps of a plan, carried out by `instead` wherever it says `actor`; returns where the results of its acts stand. */
function perform(steps: Step[], { prepare, acts, restore }: Plan, actor: number, instead: number): number[] {
  const by = (step: Step): Step => (step.actor === actor ? { ...step, actor: instead } : step);
  steps.push(...prepare.map(by));
  const places = acts.map(({ before, step }: Act, index) => {
    steps.push(...before.map(by));
    return steps.push({ ...step, actor: instead, mark: index === acts.length - 1 }) - 1;
  });
  steps.push(...restore.map(by));
  return places;
}

async function applyRules(bench: Bench, { settings, policies }: Round): Promise<void> {
  const { mode, postures, annotated, baseline } = settings;
  const namespaceAnnotations = Object.fromEntries(
    Object.entries(annotated).map(([category, value]) => [`kubearmor-${category}-posture`, value]),
  );
  const { statuses } = await bench.ask({
    kind: 'rules',
    settings: {
      defaultFilePosture: postures.file,
      defaultNetworkPosture: postures.network,
      defaultCapabilitiesPosture: postures.capabilities,
      fileBaseline: baseline ? 'on' : 'off',
    },
    workload: { ...record, annotations: mode === 'enabled' ? {} : { 'kubearmor-policy': mode }, namespaceAnnotations },
    policies,
  });
  for (const { name, status, diagnostics } of statuses)
    if (status !== 'Applied') throw new NotTaken(`policy ${name}: ${status} ${JSON.stringify(diagnostics)}`);
}

/** The agent does not take a policy over. */
export class NotTaken extends Error {
  override name = 'NotTaken';
}

export function emptyOutcome(): Outcome {
  const times = { build: 0, apply: 0, run: 0 };
  return { decisions: 0, differences: [], tally: new Map(), mute: 0, alerts: 0, times };
}

function judge(
  sequences: readonly Sequence[],
  steps: readonly Step[],
  results: readonly number[],
): { outcome: Outcome; said: Said[] } {
  const outcome = emptyOutcome();
  const said: Said[] = [];
  checkHarness(sequences, steps, results);
  for (const { operation, expectations, places } of sequences)
    for (const [index, expectation] of expectations.entries()) {
      const { refusal, decisions } = expectation;
      const { twin, actor } = places[index] as { twin: number; actor: number };
      const natural = results[twin] as number;
      const actual = results[actor] as number;
      said.push({
        expectation,
        certain: natural === 0,
        reported: actual >= 256 || [0, EPERM, EACCES].includes(actual),
      });
      if (natural === EACCES) {
        outcome.mute++;
        break;
      }
      outcome.decisions += Math.max(decisions.length, 1);
      for (const { judged, decision } of decisions) {
        const by = decision.policy === 'DefaultPosture' ? 'posture' : decision.policy ? 'rule' : '';
        const what = `${judged.access.category} ${decision.verdict} ${by}`.trim();
        outcome.tally.set(what, (outcome.tally.get(what) ?? 0) + 1);
      }
      outcome.tally.set(operation.kind, (outcome.tally.get(operation.kind) ?? 0) + 1);
      const expected = refusal === undefined ? [natural] : natural === 0 ? [refusal] : [refusal, natural];
      if (!expected.includes(actual)) {
        outcome.differences.push({
          operation,
          said: `${expected.join(' or ')}: ${decisions.map(({ judged, decision }) => `${JSON.stringify(judged.access)} → ${JSON.stringify(decision)}`).join('; ')}`,
          did: `${actual} (unjudged ${natural})`,
        });
        break;
      }
      if (natural !== 0 || actual !== 0) break;
    }
  return { outcome, said };
}

/** What prepares and tidies up must work, or the comparison says nothing. */
function checkHarness(sequences: readonly Sequence[], steps: readonly Step[], results: readonly number[]): void {
  const compared = new Set(sequences.flatMap(({ places }) => places.flatMap(({ twin, actor }) => [twin, actor])));
  let last = 'nothing';
  for (const [index, step] of steps.entries()) {
    const result = results[index] as number;
    if (compared.has(index)) {
      last = `${describeStep(step)} (${result})`;
      continue;
    }
    if (result === 0 || result === -1 || step.optional) continue;
    throw new Error(`${describeStep(step)} returned ${result}, after ${last}`);
  }
}

/** Who does what. */
export function describeOperation(operation: Operation): string {
  const { program, uid, terminal, jail } = actors.find(({ number }) => number === operation.actor) as Actor;
  return `${program} (uid ${uid}${terminal ? ', terminal' : ''}${jail ? ', in the jail' : ''}): ${describe(operation)}`;
}

export function describeDifference({ operation, said, did }: Difference): string {
  return operation ? `${describeOperation(operation)}\n  page:   ${said}\n  kernel: ${did}` : `${said}:\n  ${did}`;
}
