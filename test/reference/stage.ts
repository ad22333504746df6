import { actors, spawnSteps, twins } from './actors.ts';
import type { Bench } from './bench.ts';
import { make } from './plan.ts';
import { workload } from './random-policies.ts';
import { type Addition, grounds } from './random-world.ts';
import { director, type Step } from './records.ts';
import { chains, deepest, skeleton } from './skeleton.ts';

const step = (operation: Step['operation'], strings: string[], more: Partial<Step> = {}): Step => ({
  ...{ actor: director, operation, strings },
  ...more,
});
const MS_BIND = 4096;
const layers = '/out/layers';

/** Runs steps that must all succeed. */
export async function runAll(bench: Bench, steps: readonly Step[]): Promise<void> {
  const results = await bench.run(steps);
  const failed = results.findIndex((result) => result !== 0);
  if (failed >= 0) throw new Error(`${describeStep(steps[failed] as Step)} returned ${results[failed]}`);
}

export function describeStep({ operation, actor, strings = [], a, b, c, d }: Step): string {
  return `${operation} by ${actor} (${[a, b, c, d].join(' ')}) ${strings.map((each) => each.slice(0, 200)).join(' ')}`;
}

/** The container as the agent is told of it. */
export const record = {
  containerId: 'reference',
  namespace: workload.namespace,
  pod: 'exerciser',
  container: workload.container,
  labels: workload.labels,
};

/** Makes the part that stays, and starts everybody: some before the agent knows of the workload, the rest after. */
export async function setStage(bench: Bench): Promise<void> {
  await runAll(bench, [
    ...skeleton.map(make),
    ...chains.map(({ at, name, count }) => step('chain', [at, name], { a: count })),
    ...deepest.map(make),
    ...twins.flatMap((twin) => spawnSteps(twin, false)),
    ...actors.slice(0, 10).flatMap((actor) => spawnSteps(actor, true)),
  ]);
  await bench.ask({ kind: 'workload', record });
  await runAll(
    bench,
    actors.slice(10).flatMap((actor) => spawnSteps(actor, true)),
  );
}

/** Makes the world of a round. */
export function buildSteps({ entries, mounts, late }: Addition): Step[] {
  return [
    ...entries.map(make),
    step('make', [layers, ''], { a: 1, b: 0o755, c: 0 }),
    ...mounts.flatMap(({ kind, at, source = '', lower = [] }, index): Step[] => {
      if (kind === 'bind') return [step('mount', [source, at, '', ''], { a: MS_BIND })];
      if (kind === 'tmpfs') return [step('mount', ['tmpfs', at, 'tmpfs', 'mode=777'])];
      const folder = `${layers}/${index}`;
      const layer = (name: string) => `${folder}/${name}`;
      return [
        ...[folder, layer('lower'), layer('upper'), layer('work')].map((path) =>
          step('make', [path, ''], { a: 1, b: 0o777, c: 0 }),
        ),
        ...lower.map((entry) => make({ ...entry, path: layer('lower') + entry.path })),
        step('mount', [
          ...['overlay', at, 'overlay'],
          `lowerdir=${layer('lower')},upperdir=${layer('upper')},workdir=${layer('work')}`,
        ]),
      ];
    }),
    ...late.map(make),
  ];
}

/** Takes it away again, also what was made of it when it could not be made to its end. */
export async function tidy(bench: Bench, { mounts }: Addition): Promise<void> {
  await bench.run(mounts.toReversed().map(({ at }) => step('unmount', [at])));
  await runAll(
    bench,
    [...grounds, layers].map((path) => step('remove', [path])),
  );
}
