// Has test/bpf/calls.c make system calls in a workload under rules that name them, and prints what the kernel side told. A program
// of its own, because it runs on this kernel and in guests: node calls.ts BACKEND PROGRAM, a list of lists of names as JSON on standard
// input: the names of one list are under rules together.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import * as abi from '../../agent/abi.gen.ts';
import { decode, type EventRecord } from '../../agent/event/record.ts';
import { latePaths, syscallData } from '../../agent/event/syscall.ts';
import { Engine } from '../../agent/kernel/engine.ts';
import type { Backend } from '../../agent/kernel/feature.ts';
import { Enforcement } from '../../agent/policy/enforcement.ts';
import { randomHashKey } from '../../agent/policy/hash.ts';
import { openRoot, readBelow } from '../../agent/policy/links.ts';
import { judgeSyscall } from '../../agent/policy/lookup.ts';
import { parsePolicyObject } from '../../agent/policy/read.ts';
import { defaultSettings } from '../../agent/policy/settings.ts';
import { RuleSetTable } from '../../agent/policy/sync.ts';
import { findSyscall, hasObject } from '../../agent/policy/syscall.ts';
import { WorkloadRegistry } from '../../agent/workload/registry.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { makeCgroup } from '../agent/workload/cgroups.ts';

export interface Told {
  /** `matchSyscalls[0]` or `matchPaths[0]`: the rule that counted. */
  rule: string;
  path: string;
  data: string;
  result: number;
  late: boolean;
  unresolved: boolean;
}

/** A call that was made, and the alerts about it. */
export interface Made {
  name: string;
  /** What it returned or a negative errno; "ends": it does not return. */
  result: number | 'ends';
  /** Of its object; undefined: it has none. */
  path: string | undefined;
  told: Told[];
}

export interface Report {
  made: Made[];
  /** Calls that this kernel does not have. */
  missing: string[];
  /** Per list of names, milliseconds: until rules on them were in force, until they were no more. */
  milliseconds: { names: number; attached: number; apply: number; delete: number }[];
  counters: Record<string, number>;
}

const policy = (names: readonly string[], folder: string): object => ({
  apiVersion: 'security.kubearmor.com/v1',
  kind: 'KubeArmorPolicy',
  metadata: { name: 'calls', namespace: 'test' },
  spec: {
    action: 'Audit',
    syscalls: {
      matchSyscalls: [{ syscall: names }],
      matchPaths: [{ path: `${folder}/`, recursive: true, syscall: names.filter(takesObject) }].filter(
        ({ syscall }) => syscall.length > 0,
      ),
    },
  },
});

function takesObject(name: string): boolean {
  const call = findSyscall(name);
  return call !== undefined && hasObject(call);
}

async function main(backend: Backend, program: string): Promise<void> {
  const lists = (await json(process.stdin)) as string[][];
  using stack = new DisposableStack();
  const engine = stack.use(
    new Engine({ backend, hashKey: randomHashKey(), denyRingBytes: 4 << 20, auditRingBytes: 64 << 20 }),
  );
  const { path: cgroup } = stack.use(makeCgroup());
  const registry = new WorkloadRegistry(engine);
  const table = new RuleSetTable(engine);
  const enforcement = new Enforcement(engine, table, registry, defaultSettings);
  const record = { cgroup, containerId: 'calls', namespace: 'test', pod: 'calls', container: 'c', hostMounts: true };
  const workload = registry.prepare(workloadSchema.parse(record));
  enforcement.cover(workload);
  registry.connect(workload);
  const prefix = engine.ownRoot() === '/' ? '' : engine.ownRoot();
  const report: Report = { made: [], missing: [], milliseconds: [], counters: {} };
  for (const names of lists) {
    const top = realpathSync(mkdtempSync(join(tmpdir(), 'picket-calls-')));
    stack.defer(() => rmSync(top, { recursive: true, force: true }));
    chmodSync(top, 0o755); // some calls are made by nobody
    const folder = join(top, 'made');
    mkdirSync(folder, { mode: 0o777 });
    chmodSync(folder, 0o777);
    const started = performance.now();
    const [result] = enforcement.apply([parsePolicyObject(policy(names, folder))]);
    const apply = performance.now() - started;
    if (result?.status !== 'Applied') throw new Error(JSON.stringify(result));
    report.missing.push(
      ...result.diagnostics
        .filter(({ code }) => code === 'SyscallNotHere')
        .map(({ message }) => / system call (\w+)/.exec(message)?.[1] ?? message),
    );
    const attached = engine.calls.attached.length;
    const events: EventRecord[] = [];
    const drain = (): void => {
      for (const ring of [engine.denyRing, engine.auditRing])
        ring.drain((memory, offset, length) => void events.push(decode(memory, offset, length)), 1 << 20);
    };
    const timer = setInterval(drain, 20);
    const child = spawn(
      '/bin/sh',
      ['-c', 'echo 0 >"$1" && shift && exec "$@"', 'sh', `${cgroup}/cgroup.procs`, program, folder, ...names],
      {
        stdio: ['ignore', 'pipe', 2],
      },
    );
    const [output, [status]] = await Promise.all([text(child.stdout as Readable), once(child, 'exit')]);
    clearInterval(timer);
    drain();
    if (status !== 0) throw new Error(`the program ended with ${status}`);
    report.made.push(...read(output, events, prefix));
    const before = performance.now();
    enforcement.delete([{ name: 'calls' }]);
    report.milliseconds.push({ names: names.length, attached, apply, delete: performance.now() - before });
  }
  report.counters = engine.counters();
  process.stdout.write(`${JSON.stringify(report)}\n`);

  function read(output: string, events: readonly EventRecord[], prefix: string): Made[] {
    const paths = new Map(
      events.filter(({ kind }) => kind === abi.eventKind.EVENT_PATH).map(({ pathHash, path }) => [pathHash, path]),
    );
    const lines = output.split('\n').flatMap((line) => {
      const [name = '', number, pid, since, until, result, path] = line.split(' ');
      return name === ''
        ? []
        : [
            {
              name,
              number: Number(number),
              pid: Number(pid),
              since: BigInt(since ?? 0),
              until: BigInt(until ?? 0),
              result,
              path,
            },
          ];
    });
    return lines.map(({ name, number, pid, since, until, result, path }) => ({
      name,
      result: result === 'ends' ? 'ends' : Number(result),
      path: path === undefined || path === '-' ? undefined : prefix + path,
      told: events
        .filter((event) => event.kind === abi.eventKind.EVENT_ALERT && event.syscall === number)
        .filter((event) => event.pid === pid && event.timeNs >= since && (until === 0n || event.timeNs <= until))
        .flatMap((event) => tell(event, paths) ?? []),
    }));
  }

  function tell(event: EventRecord, paths: ReadonlyMap<bigint, string>): Told | undefined {
    const names = table.find(event.set, event.generation);
    const late = (event.flags & abi.eventFlags.EVENT_PATH_LATE) !== 0;
    const unresolved = (event.flags & abi.eventFlags.EVENT_PATH_UNRESOLVED) !== 0;
    let path = event.path === '' ? (paths.get(event.pathHash) ?? '') : event.path;
    let { outcome } = event;
    if (late && names !== undefined) {
      using root = openRoot('/');
      ({ outcome, path } = judgeSyscall(
        names,
        event.syscall,
        latePaths(event, (use) => use(readBelow(engine.ownRoot(), root.read))),
        undefined,
      ));
    }
    const rule = names?.rules[outcome & abi.outcome.OUTCOME_RULE]?.path.replace('spec.syscalls.', '');
    if (rule === undefined) return undefined;
    return { rule, path, data: syscallData(event), result: event.result, late, unresolved };
  }
}

if (process.argv.includes('--help'))
  process.stdout.write('node calls.ts BACKEND PROGRAM, lists of names on standard input\n');
else if (import.meta.main) await main(process.argv[2] as Backend, process.argv[3] ?? '');
