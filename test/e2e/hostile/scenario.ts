import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Briefing } from '../../conformance/briefing.ts';
import { parseCase } from '../../conformance/case.ts';
import { openMachine } from '../../conformance/machine.ts';
import { podsOf } from '../../conformance/pods.ts';
import { type Product, startProduct } from '../../conformance/product.ts';
import { runInContainer } from '../../conformance/session.ts';
import { openStage } from '../../conformance/stage.ts';

/** What a hostile workload was seen to do. */
export interface Report {
  release: string;
  load: string;
  /** By way: tries and breaches. */
  ways: Record<string, { tries: number; breaches: number }>;
  /** Most memory that the agent had, in bytes: all, and its parts by /proc/PID/status. */
  agentBytes: number;
  agentParts: Record<string, number>;
  counters: Record<string, number>;
  ledger: { emitted: number; delivered: number; queued: number; dropped: { refused: number; spool: number } };
}

/** Runs in a guest: one container, rules that refuse a program and a file, and the program `attack` in it. */
const [, , image = '', attack = '', seconds = '0'] = process.argv;
if (attack === '') {
  process.stdout.write('usage: scenario.ts IMAGE ATTACK SECONDS\n');
  process.exit(image === '--help' ? 0 : 2);
}
const given = parseCase(
  JSON.stringify({
    case: 'hostile',
    about: 'A workload does its worst.',
    policies: [
      {
        apiVersion: 'security.kubearmor.com/v1',
        kind: 'KubeArmorPolicy',
        metadata: { name: 'refused', namespace: 'multiubuntu' },
        spec: {
          action: 'Block',
          process: { matchPaths: [{ path: '/usr/bin/id' }] },
          file: { matchDirectories: [{ dir: '/credentials/', recursive: true }] },
        },
      },
    ],
    steps: [{ in: 'ubuntu-1', run: 'true', expect: 'allowed' }],
  }),
  'hostile.yaml',
);

const report = await run();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);

async function run(): Promise<Report> {
  await using machine = await openMachine({ image });
  await using product = await startProduct(join(machine.directory, 'product'));
  await using stage = await openStage(machine, podsOf(given));
  await using briefing = new Briefing(product);
  await briefing.begin(given);
  for (const actor of stage.actors) await briefing.register(actor);
  await briefing.apply(given.policies);
  const [actor] = stage.actors;
  if (actor === undefined) throw new Error('no container was started');
  copyFileSync(attack, `/proc/${actor.container.pid}/root/usr/bin/attack`);

  const { pid, kernel } = await product.control<{ pid: number; kernel: string }>('GET', '/v1/status');
  let agentBytes = 0;
  let agentParts: Record<string, number> = {};
  using watching = new DisposableStack();
  const watch = setInterval(() => {
    const { VmRSS = 0, ...parts } = memory(pid, product);
    if (VmRSS <= agentBytes) return;
    agentBytes = VmRSS;
    agentParts = parts;
  }, 250);
  watching.defer(() => clearInterval(watch));
  const limitMs = (Number(seconds) + 60) * 1000;
  const command = { as: 'root' as const, tty: false, exec: ['/usr/bin/attack', seconds] } satisfies Parameters<
    typeof runInContainer
  >[2];
  const { status, output } = await runInContainer(machine, actor.container, command, limitMs);
  const load = readFileSync('/proc/loadavg', 'latin1').trim();
  if (status !== 0) throw new Error(`the attack ended with status ${status}: ${output}\n${product.log()}`);
  for (let attempt = 0; attempt < 30 && !(await product.settle(10_000)); attempt++) await sleep(1000);
  watching.dispose();
  const { counters, ledger } = await product.control<Pick<Report, 'counters' | 'ledger'>>('GET', '/v1/status');
  const ways = Object.fromEntries(
    [...output.matchAll(/^(\S+) (-?\d+) (\d+)$/gm)].map(([, name = '', tries, breaches]) => [
      name,
      { tries: Number(tries), breaches: Number(breaches) },
    ]),
  );
  return { release: kernel, load, ways, agentBytes, agentParts, counters, ledger };
}

function memory(pid: number, product: Product): Record<string, number> {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const lines = status.matchAll(/^(VmRSS|Rss\w+):\s*(\d+) kB/gm);
    return Object.fromEntries([...lines].map(([, name = '', kib]) => [name, Number(kib) * 1024]));
  } catch (cause) {
    throw new Error(`the agent is gone:\n${product.log()}`, { cause });
  }
}
