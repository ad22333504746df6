// Runs commands in a workload under rules and prints what they were answered and which alerts they made. A program of its own,
// because it runs in guests: node accesses.ts [BACKEND], the sessions as JSON on standard input.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import * as abi from '../../agent/abi.gen.ts';
import { operationOf } from '../../agent/event/operation.ts';
import { decode, type EventRecord } from '../../agent/event/record.ts';
import { Engine } from '../../agent/kernel/engine.ts';
import type { Backend } from '../../agent/kernel/feature.ts';
import { Enforcement } from '../../agent/policy/enforcement.ts';
import { randomHashKey } from '../../agent/policy/hash.ts';
import { parsePolicyObject } from '../../agent/policy/read.ts';
import { defaultSettings } from '../../agent/policy/settings.ts';
import { RuleSetTable } from '../../agent/policy/sync.ts';
import { WorkloadRegistry } from '../../agent/workload/registry.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { makeCgroup } from '../agent/workload/cgroups.ts';

/** `@` in paths of rules and in commands is the session's folder. */
export interface Session {
  /** Shell commands that are run before there is a workload. */
  before?: string;
  /** The workload has a mount namespace of its own. */
  ownMounts?: boolean;
  /** And a network namespace of its own, with a loopback interface. */
  ownNetwork?: boolean;
  /** In order: a command of the session's one shell, or the `spec` of the policy that is in force from here on. */
  steps: (string | { spec: Record<string, unknown> })[];
}

/** Of a command. */
export interface Outcome {
  command: string;
  status: number;
  /** What it printed, errors included. */
  output: string;
  /**
   * Alerts about all but programs and system calls in order, such as `deny RENAME a` (paths below the session's folder), `deny
   * DNS www.example.org` or `alert SOCKET_CREATE domain=AF_INET type=SOCK_DGRAM protocol=UDP`.
   */
  alerts: string[];
}

const operations = new Map<number, string>(
  Object.entries(abi.operation).map(([name, n]) => [n, name.replace('OPERATION_', '')]),
);
const verdicts = new Map<number, string>(
  Object.entries(abi.verdict).map(([name, n]) => [n, name.replace('VERDICT_', '').toLowerCase()]),
);

const { CATEGORY_FILE, CATEGORY_NETWORK, CATEGORY_DNS, CATEGORY_CAPABILITY } = abi.category;
const shown = new Set<number>([CATEGORY_FILE, CATEGORY_NETWORK, CATEGORY_DNS, CATEGORY_CAPABILITY]);

/** Enters the cgroup from outside and becomes the shell that reads commands. */
const enter = 'echo 0 >"$1/cgroup.procs" && cd "$2" && exec $3 /bin/sh -s 3>>"$2/handed" 2>&1';

async function main(backend: Backend): Promise<void> {
  const sessions = (await json(process.stdin)) as Session[];
  using stack = new DisposableStack();
  const hashKey = randomHashKey();
  const engine = stack.use(new Engine({ backend, hashKey, denyRingBytes: 4 << 20, auditRingBytes: 4 << 20 }));
  const registry = new WorkloadRegistry(engine);
  const enforcement = new Enforcement(engine, new RuleSetTable(engine), registry, defaultSettings);
  const outcomes: Outcome[][] = [];
  for (const [i, session] of sessions.entries()) outcomes.push(await run(engine, registry, enforcement, session, i));
  process.stdout.write(JSON.stringify({ outcomes, loadMs: engine.loadMs }));
}

async function run(
  engine: Engine,
  registry: WorkloadRegistry,
  enforcement: Enforcement,
  session: Session,
  number: number,
): Promise<Outcome[]> {
  using stack = new DisposableStack();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-accesses-')));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  stack.defer(() => unmountBelow(folder));
  const { path: cgroup } = stack.use(makeCgroup());
  const here = (text: string) => text.replaceAll('@', folder);
  const name = `session-${number}`;
  const workload = registry.prepare(
    workloadSchema.parse({
      ...{ cgroup, containerId: name, namespace: 'test', pod: name, container: name, labels: { session: name } },
      hostMounts: !session.ownMounts,
    }),
  );
  enforcement.cover(workload);
  registry.connect(workload);
  if (session.before !== undefined) execFileSync('/bin/sh', ['-ec', here(session.before)]);
  const own = [
    ...(session.ownMounts ? ['-m', '--propagation', 'private'] : []),
    ...(session.ownNetwork ? ['-n'] : []),
  ].join(' ');
  const start = own && `unshare ${own}`;
  const shell = new Shell(spawn('/bin/sh', ['-c', enter, 'sh', cgroup, folder, start]));
  if (session.ownNetwork) await shell.run('ip link set lo up');
  const outcomes: Outcome[] = [];
  for (const step of session.steps) {
    if (typeof step !== 'string') {
      const spec = {
        selector: { matchLabels: { session: name } },
        ...(JSON.parse(here(JSON.stringify(step.spec))) as object),
      };
      const metadata = { name, namespace: 'test' };
      const reading = parsePolicyObject({
        apiVersion: 'security.kubearmor.com/v1',
        kind: 'KubeArmorPolicy',
        metadata,
        spec,
      });
      for (const { status, diagnostics } of enforcement.apply([reading]))
        if (status !== 'Applied') throw new Error(`${name}: ${status} ${JSON.stringify(diagnostics)}`);
      readAlerts(engine, folder);
      continue;
    }
    const { status, output } = await shell.run(here(step));
    outcomes.push({
      command: step,
      status,
      output: output.replaceAll(folder, '@'),
      alerts: readAlerts(engine, folder),
    });
  }
  shell.end();
  await shell.ended;
  return outcomes;
}

/** A shell that runs one command after the other, in itself: descriptors that one opens the next one has. */
class Shell {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly ended: Promise<void>;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  async run(command: string): Promise<{ status: number; output: string }> {
    this.#child.stdin.write(`{ ${command}\n} 2>&1; echo "=== $?"\n`);
    const output: string[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`the shell ended in: ${command}\n${output.join('\n')}`);
      if (value.startsWith('=== ')) return { status: Number(value.slice(4)), output: output.join('\n') };
      output.push(value);
    }
  }

  end(): void {
    this.#child.stdin.end();
  }
}

function unmountBelow(folder: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) execFileSync('umount', ['-l', point]);
}

function readAlerts(engine: Engine, folder: string): string[] {
  const events: EventRecord[] = [];
  for (const ring of [engine.denyRing, engine.auditRing])
    ring.drain((memory, offset, length) => {
      const event = decode(memory, offset, length);
      if (event.kind === abi.eventKind.EVENT_ALERT && shown.has(event.category)) events.push(event);
    });
  events.sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1));
  return events.map((event) => {
    const { outcome, operation, category, path } = event;
    const words = [verdicts.get(outcome >>> abi.outcome.OUTCOME_SHIFT), operations.get(operation)];
    const resource = category === abi.category.CATEGORY_DNS ? undefined : operationOf(event).resource?.(event);
    const object = resource ?? (path.startsWith(folder) ? path.slice(folder.length + 1) : path);
    return [...words, object].join(' ').trimEnd();
  });
}

if (import.meta.main) await main((process.argv[2] ?? 'lsm') as Backend);
