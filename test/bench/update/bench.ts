import { Engine } from '../../../agent/kernel/engine.ts';
import { gatherFacts } from '../../../agent/kernel/facts.ts';
import { judge } from '../../../agent/kernel/feature.ts';
import { machineProbes } from '../../../agent/kernel/probes.ts';
import { Enforcement } from '../../../agent/policy/enforcement.ts';
import { randomHashKey } from '../../../agent/policy/hash.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { RuleSetTable } from '../../../agent/policy/sync.ts';
import type { Workload, WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import type { Bench, BenchOptions, BenchResult, Figure } from '../bench.ts';
import { rulesMemory } from './memory.ts';
import { mixedSpec, namespace, policy } from './rules.ts';

const ringBytes = 1 << 20;
/** What is measured by `npm run bench`. */
export const sizes = { rules: 10_000, workloads: 10_000, sets: 200, policies: 1_000, updates: 200 };

/** How long changes of policies take and what they cost the kernel: with this machine's kernel, no access is judged. */
export const update: Bench = {
  name: 'update',
  summary: 'milliseconds from a change of a policy to the flip, at size; kernel memory of a policy',
  run: (options) => measureUpdate(options),
};

export async function measureUpdate({ say }: BenchOptions, size = sizes): Promise<BenchResult> {
  const { rules, workloads, sets, policies, updates } = size;
  const { backend, reason } = judge(gatherFacts(machineProbes));
  if (backend === null) throw new Error(`this kernel does not take Picket's programs: ${reason}`);
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: Figure['unit'], target?: number): void => {
    figures.push({ name, value, unit, ...(target !== undefined && { target }) });
    say(`${name}: ${value} ${unit}`);
  };
  using engine = new Engine({ backend, hashKey: randomHashKey(), denyRingBytes: ringBytes, auditRingBytes: ringBytes });

  {
    const { enforcement, cover } = stage(engine);
    cover(1, () => 'k0');
    const reading = policy('mixed', 'k0', mixedSpec(rules));
    add(
      'load-ten-thousand-rules',
      timed(() => applied(enforcement, [reading])),
      'ms',
      5_000,
    );
    const before = rulesMemory(engine);
    applied(enforcement, [policy('one-more', 'k0', mixedSpec(10, '-more'))]);
    add('memory-per-policy', rulesMemory(engine) - before, 'bytes', 65_536);
    clear(engine, enforcement);
  }
  {
    // On a workload of its own: nothing is shared.
    const { enforcement, cover } = stage(engine);
    cover(2, (i) => `k${i}`);
    applied(enforcement, [policy('first', 'k0', mixedSpec(10))]);
    const before = rulesMemory(engine);
    applied(enforcement, [policy('second', 'k1', mixedSpec(10, '-more'))]);
    add('memory-per-policy-alone', rulesMemory(engine) - before, 'bytes', 65_536);
    clear(engine, enforcement);
  }
  {
    const { enforcement, cover } = stage(engine);
    cover(workloads, (i) => `k${i % sets}`);
    const readings = [...new Array(sets).keys()].map((i) => policy(`p${i}`, `k${i}`, mixedSpec(50, `-${i}`)));
    add(
      'load-ten-thousand-workloads',
      timed(() => applied(enforcement, readings)),
      'ms',
      20_000,
    );
    clear(engine, enforcement);
  }
  for (const [name, kinds] of [
    ['update', sets],
    ['update-one-workload', 1],
  ] as const) {
    const { enforcement, cover } = stage(engine);
    cover(kinds, (i) => `k${i}`);
    const make = (i: number, version: number) => policy(`p${i}`, `k${i % kinds}`, mixedSpec(10, `-${i}-${version}`));
    applied(
      enforcement,
      [...new Array(policies).keys()].map((i) => make(i, 0)),
    );
    const times = [...new Array(kinds === 1 ? updates / 10 : updates).keys()].map((i) => {
      const started = performance.now();
      applied(enforcement, [make((i * 37) % policies, 1)]);
      return performance.now() - started;
    });
    times.sort((a, b) => a - b);
    add(`${name}-p50`, rounded(times[Math.floor(times.length * 0.5)] ?? 0), 'ms');
    add(`${name}-p99`, rounded(times[Math.floor(times.length * 0.99)] ?? 0), 'ms');
    clear(engine, enforcement);
  }
  const table = figures.map(({ name, value, unit }) => `${name.padEnd(32)} ${String(value).padStart(9)} ${unit}`);
  return { figures, table: table.join('\n') };
}

/** Workloads in the kernel's table to which no cgroup leads. */
function stage(engine: Engine) {
  const all: Workload[] = [];
  const registry = {
    all,
    host: undefined,
    rootPid: () => undefined,
    remove: () => {},
    removeUnknown: () => [],
    usesIoUring: () => false,
  };
  const enforcement = new Enforcement(
    engine,
    new RuleSetTable(engine),
    registry as unknown as WorkloadRegistry,
    defaultSettings,
  );
  const cover = (count: number, kindOf: (i: number) => string): void => {
    for (let i = 0; i < count; i++) {
      const record = workloadSchema.parse({
        ...{ cgroup: '/sys/fs/cgroup/none', containerId: `c${i}`, namespace, pod: `p${i}`, container: 'c' },
        labels: { kind: kindOf(i) },
      });
      const slot = i + 1;
      all.push({ id: BigInt(slot), slot, record, rootPid: undefined, hostMounts: true, users: [], generation: 0 });
    }
    enforcement.refresh(all);
  };
  return { enforcement, cover };
}

function clear(engine: Engine, enforcement: Enforcement): void {
  const all = [...enforcement.plans].map(({ workload }) => workload);
  for (const { slot } of all) engine.workloads.element(slot).fill(0);
  enforcement.uncover(all);
}

function applied(enforcement: Enforcement, readings: Parameters<Enforcement['apply']>[0]): void {
  const failed = enforcement.apply(readings).find(({ status }) => status !== 'Applied');
  if (failed !== undefined) throw new Error(`policy ${failed.name}: ${JSON.stringify(failed.diagnostics[0])}`);
}

function timed(run: () => void): number {
  const started = performance.now();
  run();
  return Math.round(performance.now() - started);
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
