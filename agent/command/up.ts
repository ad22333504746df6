import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type Agent, controlSocket, refuseSecond } from '../agent.ts';
import { type AgentConfig, readConfig } from '../config.ts';
import { spawnCollector } from '../delegate.ts';
import { runDemo, samplesDir } from '../demo.ts';
import { AgentError } from '../error.ts';
import { createLog } from '../log.ts';
import { chooseBackend, runAgent } from '../main.ts';
import { formatDiagnostic } from '../policy/diagnostic.ts';

const examples = `
Examples:
  picket up                              policies from /etc/picket/policies, and a sample workload
  picket up --no-demo --policies ./my-policies
  picket up --json | jq .PolicyName
`;

/** How long the viewer of alerts has for the last ones; it looks every 100 ms. */
const showLastMs = 300;

const policyFolder = '/etc/picket/policies';

interface Flags {
  demo: boolean;
  policies?: string;
  config?: string;
  collectorConfig?: string;
  json?: boolean;
}

interface CollectorReady {
  kind: 'ready';
  address: string;
  sinks: string[];
}

/** `picket up`: agent, collector and store on this machine, alerts on the terminal, until Ctrl-C. */
export function upCommand(signal: AbortSignal): Command {
  return new Command('up')
    .description('run agent and collector together on this machine and show the alerts')
    .option(
      '--policies <dir>',
      `folder of *.yaml policies (default: that of the configuration, else ${policyFolder} if it is there)`,
    )
    .option('--no-demo', 'leave out the sample workload and the sample policies')
    .option('--json', 'alerts as JSON, one per line')
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .option('--collector-config <file>', 'configuration of the collector (default: /etc/picket/collector.yaml)')
    .addHelpText('after', examples)
    .action((flags: Flags) => up(flags, signal));
}

async function up(flags: Flags, signal: AbortSignal): Promise<void> {
  const say = (text: string): boolean => process.stderr.write(`${text}\n`);
  const config = readConfig(flags.config);
  const { backend, reason } = chooseBackend(config);
  await refuseSecond(controlSocket(config)); // before anything is started
  say(`Backend    ${backend}: ${reason}`);
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true });
  if (signal.aborted) return;
  // The agent ends first, so that its last alerts still find the collector; the children are in no terminal's process group.
  const children = new Children();
  try {
    const collector = await startCollector(flags, children, stop);
    const agentConfig = { ...config, collector: { ...config.collector, endpoint: `http://${collector.address}` } };
    await runAgent({
      config: agentConfig,
      policyDirs: [...policyDirs(config, flags), ...(flags.demo ? [samplesDir] : [])],
      log: createLog('picket-agent', process.env.PICKET_LOG_LEVEL ?? 'warn'),
      signal: stop.signal,
      outlives: false,
      ready: async (agent) => {
        describe(agent, collector, say);
        if (collector.sinks.includes('store')) showAlerts(flags, children);
        say('Ctrl-C takes everything out again.\n');
        if (!flags.demo) return;
        await runDemo(agent.socket, stop.signal);
        say(
          'The sample workload has run; its alerts stand above or come now. Your own: picket run --namespace demo --pod sample --label app=sample -- CMD',
        );
      },
    });
  } finally {
    await children.end();
  }
  say('Everything is out of the kernel again.');
  if (!signal.aborted && stop.signal.aborted)
    throw new AgentError('failed', 'the collector ended; its last lines say why');
}

function policyDirs(config: AgentConfig, { policies }: Flags): string[] {
  const dir = policies ?? config.policies.dir ?? (existsSync(policyFolder) ? policyFolder : undefined);
  return dir === undefined ? [] : [dir];
}

function describe(agent: Agent, collector: CollectorReady, say: (text: string) => void): void {
  say(`Collector  OTLP on ${collector.address}, alerts to ${collector.sinks.join(' and ')}`);
  for (const { kind, namespace, name, status, diagnostics } of agent.policyFiles) {
    say(`Policy     ${namespace ? `${namespace}/` : ''}${name || '(unnamed)'} ${status}${kind ? ` (${kind})` : ''}`);
    for (const diagnostic of diagnostics)
      if (diagnostic.level !== 'info') say(`           ${formatDiagnostic(diagnostic)}`);
  }
  say(`Alerts     here as they come; later with: picket alerts`);
}

async function startCollector(
  { collectorConfig }: Flags,
  children: Children,
  stop: AbortController,
): Promise<CollectorReady> {
  const args = [
    'collector',
    '--log-level',
    'warn',
    ...(collectorConfig === undefined ? [] : ['--config', collectorConfig]),
  ];
  const child = spawnCollector(args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], detached: true });
  children.add(child);
  const ready = once(child, 'message') as Promise<[CollectorReady]>;
  const ended = once(child, 'exit').then(([code]) => {
    stop.abort();
    throw new AgentError('failed', `the collector ended with status ${code}; its last lines say why`);
  });
  ended.catch(() => {}); // after the start the abort above is what counts
  const [message] = await Promise.race([ready, ended]);
  return message;
}

function showAlerts({ json, collectorConfig }: Flags, children: Children): void {
  const since = new Date().toISOString();
  const args = [
    'alerts',
    '--follow',
    '--since',
    since,
    ...(json ? ['--json'] : []),
    ...(collectorConfig === undefined ? [] : ['--config', collectorConfig]),
  ];
  children.add(spawnCollector(args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true }));
}

/** Child processes, ended in the order of their start: the collector stores its last alerts, and these are shown. */
class Children {
  readonly #children: ChildProcess[] = [];

  add(child: ChildProcess): void {
    this.#children.push(child);
  }

  async end(): Promise<void> {
    for (const [index, child] of this.#children.entries()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      if (index > 0) await sleep(showLastMs);
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await exited;
      clearTimeout(timer);
    }
  }
}
