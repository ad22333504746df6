// Runs shell scripts in a workload and prints what the kernel side told about the programs that they executed. A program of
// its own, because it runs on this kernel and in guests: node executions.ts BACKEND, the scripts as JSON on standard input.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import * as abi from '../../agent/abi.gen.ts';
import { Engine } from '../../agent/kernel/engine.ts';
import type { Backend } from '../../agent/kernel/feature.ts';
import { PathHasher, randomHashKey } from '../../agent/policy/hash.ts';
import { pathFromBytes } from '../../agent/policy/pathname.ts';
import { WorkloadRegistry } from '../../agent/workload/registry.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { makeCgroup } from '../agent/workload/cgroups.ts';

/** A program named `p` that was executed. */
export interface Execution {
  /** Below the folder of the script; undefined: it has no path. */
  path: string | undefined;
  /** Which of the paths that the script may execute has the hash; undefined: none of them. */
  byHash: string | undefined;
}

export interface Script {
  text: string;
  /** Paths below the folder that its programs `p` may have. */
  paths: string[];
}

export interface Report {
  executions: Execution[];
  counters: Record<string, number>;
}

const at = abi.event.fields;
/** In a mount namespace of its own, on one processor, so that all walks share one memory. */
const enter =
  'echo 0 >"$1/cgroup.procs" && cd "$2" && exec taskset -c 0 unshare -m --propagation private /bin/sh -ec "$3"';

async function main(backend: Backend): Promise<void> {
  const scripts = (await json(process.stdin)) as Script[];
  using stack = new DisposableStack();
  const hashKey = randomHashKey();
  const engine = stack.use(new Engine({ backend, hashKey, denyRingBytes: 4 << 20, auditRingBytes: 65536 }));
  const { path: cgroup } = stack.use(makeCgroup());
  const registry = new WorkloadRegistry(engine);
  const record = { cgroup, containerId: 'walk', namespace: 'test', pod: 'walk', container: 'walk', hostMounts: true };
  registry.connect(registry.prepare(workloadSchema.parse(record)));
  const root = engine.ownRoot();
  const hasher = new PathHasher(hashKey);
  const reports: Report[] = [];
  for (const { text, paths } of scripts) {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-walk-')));
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    const child = spawn('/bin/sh', ['-c', enter, 'sh', cgroup, folder, text], { stdio: ['ignore', 2, 2] });
    const [status] = await once(child, 'exit');
    if (status !== 0) throw new Error(`status ${status} of the script:\n${text}`);
    const top = `${root === '/' ? '' : root}${folder}/`;
    const known = new Map(paths.map((path) => [hasher.hash(pathFromBytes(Buffer.from(top + path))), path]));
    reports.push({ executions: read(engine, top, known), counters: engine.counters() });
  }
  process.stdout.write(JSON.stringify(reports));
}

function read(engine: Engine, top: string, known: ReadonlyMap<bigint, string>): Execution[] {
  const executions: Execution[] = [];
  engine.denyRing.drain(({ bytes, view }, offset) => {
    if (view.getUint32(offset + at.kind.offset, true) !== abi.eventKind.EVENT_EXEC) return;
    const start = offset + abi.event.size;
    const path = Buffer.from(bytes.subarray(start, start + view.getUint16(offset + at.path_length.offset, true)));
    if (!path.toString().endsWith('/p')) return;
    const unresolved = view.getUint32(offset + at.flags.offset, true) & abi.eventFlags.EVENT_PATH_UNRESOLVED;
    executions.push({
      path: unresolved ? undefined : path.toString().replace(top, ''),
      byHash: known.get(view.getBigUint64(offset + at.path_hash.offset, true)),
    });
  });
  return executions;
}

if (import.meta.main) await main(process.argv[2] as Backend);
