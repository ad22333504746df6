// Runs inside the guest: brings the kernel from one state to the next and runs the loop in each. One process for all of
// them, because Node's start is the slowest part where instructions are counted. Prints one JSON object.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { Engine } from '../../../agent/kernel/engine.ts';
import { Enforcement } from '../../../agent/policy/enforcement.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { RuleSetTable } from '../../../agent/policy/sync.ts';
import { WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import { folder, operations, program, type State, states } from './states.ts';

/** What the guest reports. */
export interface Report {
  /** The kernel, as it names its release. */
  release: string;
  /** Nanoseconds of each round, by state and operation. */
  rounds: Record<string, Record<string, number[]>>;
  /** Operations in a round. */
  times: number;
  /** Milliseconds from policy to flip, by state. */
  applyMs: Record<string, number>;
  /** Milliseconds that loading the programs took, guest time. */
  loadMs: number;
}

/** Short rounds, many of them: most are over before the next timer tick. */
const rounds = 40;
const times = 25;
/** The secret of the path hash; fixed, so that two runs execute the same instructions. */
const hashKey = { name: 0x1234567_89abcdefn | (1n << 60n), path: 0x0fedcba_98765432n | (1n << 60n) };
const ringBytes = 1 << 20;
const enter = 'echo 0 > "$1/cgroup.procs" || exit 125; shift; exec "$@"';

const [loop = ''] = process.argv.slice(2);
const report: Report = { release: release(), rounds: {}, times, applyMs: {}, loadMs: 0 };

makeFiles();
const isLoaded = (state: State) => state.where.kind !== 'unloaded';
const first = states.findIndex(isLoaded);
const last = states.findLastIndex(isLoaded);
for (const state of states.slice(0, first)) measure(state);
measureLoaded(states.slice(first, last + 1));
for (const state of states.slice(last + 1)) measure(state);
process.stdout.write(`${JSON.stringify(report)}\n`);

function measureLoaded(loaded: readonly State[]): void {
  using engine = new Engine({ backend: 'lsm', hashKey, denyRingBytes: ringBytes, auditRingBytes: ringBytes });
  report.loadMs = engine.loadMs;
  const registry = new WorkloadRegistry(engine);
  const enforcement = new Enforcement(engine, new RuleSetTable(engine), registry, defaultSettings);
  for (const state of loaded)
    if (state.where.kind !== 'workload') measure(state);
    else measure(state, startWorkload(registry, enforcement, state.name, state.where.spec));
}

/** What is opened and started, and an overlay as containers have one: its upper and lower folders on the tmpfs. */
function makeFiles(): void {
  for (const operation of Object.values(operations)) {
    const [kind, path] = operation.split(':');
    if (kind !== 'open' || path === undefined || !path.startsWith(folder)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  }
  copyFileSync(loop, program);
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'overlay'].map((name) => join('/run', name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [lower, upper, work, merged]) mkdirSync(path);
  writeFileSync(join(lower, 'file'), '');
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  execFileSync('mount', ['-t', 'overlay', 'bench', '-o', options, merged]);
}

/** Registers a workload that the rules cover; returns its cgroup. */
function startWorkload(
  registry: WorkloadRegistry,
  enforcement: Enforcement,
  name: string,
  spec: Record<string, unknown>,
): string {
  const started = performance.now();
  const reading = parsePolicyObject({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name, namespace: 'bench' },
    spec: { selector: { matchLabels: { state: name } }, ...spec },
  });
  for (const { status, diagnostics } of enforcement.apply([reading]))
    if (status !== 'Applied') throw new Error(`policy ${name}: ${status} ${JSON.stringify(diagnostics)}`);
  const cgroup = `/sys/fs/cgroup/bench-${name}`;
  mkdirSync(cgroup);
  const workload = registry.prepare(
    workloadSchema.parse({
      cgroup,
      containerId: name,
      namespace: 'bench',
      pod: name,
      container: 'loop',
      labels: { state: name },
      hostMounts: true,
    }),
  );
  enforcement.cover(workload);
  registry.connect(workload);
  report.applyMs[name] = Math.round(performance.now() - started);
  return cgroup;
}

/** Runs the loop, in a cgroup when one is given. */
function measure({ name, operations: measured }: State, cgroup?: string): void {
  const command = [program, String(rounds), String(times), ...measured.map((operation) => operations[operation])];
  const [first = '', ...args] = cgroup === undefined ? command : ['/bin/sh', '-c', enter, 'sh', cgroup, ...command];
  const lines = execFileSync(first, args, { encoding: 'utf8' }).trim().split('\n');
  report.rounds[name] = Object.fromEntries(
    measured.map((operation, i) => [operation, String(lines[i]).split(' ').map(Number)]),
  );
}
