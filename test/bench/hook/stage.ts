// Runs inside the guest: brings the kernel from one state to the next and runs the loop in each. One process for all of
// them, because Node's start is the slowest part where instructions are counted. Prints one JSON object.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Engine } from '../../../agent/kernel/engine.ts';
import { Enforcement } from '../../../agent/policy/enforcement.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { RuleSetTable } from '../../../agent/policy/sync.ts';
import { WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { workloadSchema } from '../../../agent/workload/workload.ts';
import { files, type State, states } from './states.ts';

/** What the guest reports. */
export interface Report {
  /** Nanoseconds of each round, by state and path. */
  rounds: Record<string, Record<string, number[]>>;
  /** Opens and closes in a round. */
  times: number;
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
const report: Report = { rounds: {}, times, loadMs: 0 };

for (const path of Object.values(files)) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
}
const isLoaded = (state: State) => state.where.kind !== 'unloaded';
const first = states.findIndex(isLoaded);
const last = states.findLastIndex(isLoaded);
for (const state of states.slice(0, first)) measure(state.name);
measureLoaded(states.slice(first, last + 1));
for (const state of states.slice(last + 1)) measure(state.name);
process.stdout.write(`${JSON.stringify(report)}\n`);

function measureLoaded(loaded: readonly State[]): void {
  using engine = new Engine({ backend: 'lsm', hashKey, denyRingBytes: ringBytes, auditRingBytes: ringBytes });
  report.loadMs = engine.loadMs;
  const registry = new WorkloadRegistry(engine);
  const enforcement = new Enforcement(engine, new RuleSetTable(engine), registry, defaultSettings);
  for (const { name, where } of loaded)
    if (where.kind !== 'workload') measure(name);
    else measure(name, startWorkload(registry, enforcement, name, where.file));
}

/** Registers a workload that the rules cover; returns its cgroup. */
function startWorkload(
  registry: WorkloadRegistry,
  enforcement: Enforcement,
  name: string,
  file: Record<string, unknown>,
): string {
  const reading = parsePolicyObject({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name, namespace: 'bench' },
    spec: { selector: { matchLabels: { state: name } }, file },
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
  return cgroup;
}

/** Runs the loop, in a cgroup when one is given. */
function measure(name: string, cgroup?: string): void {
  const paths = Object.values(files);
  const command = [loop, String(rounds), String(times), ...paths];
  const [program = '', ...args] = cgroup === undefined ? command : ['/bin/sh', '-c', enter, 'sh', cgroup, ...command];
  const lines = execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n');
  report.rounds[name] = Object.fromEntries(paths.map((path, i) => [path, String(lines[i]).split(' ').map(Number)]));
}
