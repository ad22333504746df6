import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { Agent } from './agent.ts';
import { type AgentConfig, configSchema } from './config.ts';
import { AgentError } from './error.ts';
import { renderReport } from './kernel/doctor.ts';
import { gatherFacts } from './kernel/facts.ts';
import { type Backend, judge } from './kernel/feature.ts';
import { PinFolder, type Removed, untilGone } from './kernel/pins.ts';
import { machineProbes } from './kernel/probes.ts';

export interface RunOptions {
  config: AgentConfig;
  /** Folders of policies, read at start. */
  policyDirs: readonly string[];
  log: Logger;
  signal: AbortSignal;
  /** Whether the rules stay in force when the agent ends. */
  outlives: boolean;
  /** Called when everything is in force. */
  ready(agent: Agent): Promise<void> | void;
}

/**
 * Runs the agent until `signal` aborts or somebody asks for unload: finds out what this kernel offers, loads the programs
 * of that backend, takes the policies over and answers on the control socket. At the end everything is taken out again, or stays
 * as it is.
 *
 * @throws AgentError `not-supported` when no backend works here, `already-running`, `config`
 */
export async function runAgent({ config, policyDirs, log, signal, outlives, ready }: RunOptions): Promise<void> {
  boundHeap();
  const { backend, reason } = chooseBackend(config);
  const pins = openPins(config, outlives, log);
  let removed: Removed[] = [];
  {
    await using agent = await Agent.start({ config, backend, backendReason: reason, policyDirs, pins, log });
    try {
      log.info({ backend, reason, socket: agent.socket, loadMs: Math.round(agent.loadMs) }, 'ready');
      await ready(agent);
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => aborted.resolve(), { once: true });
      if (signal.aborted) aborted.resolve();
      await Promise.race([aborted.promise, agent.unloaded]);
      log.info('stopping');
    } finally {
      if (!outlives) removed = agent.takeOut();
    }
  }
  await untilGone(removed);
}

/**
 * V8 lets garbage lie as long as there is memory; a node has other use for it. Measured at 4,000 alerts/s: 190 MB resident at
 * most instead of 320, for a quarter more time per alert.
 */
function boundHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=50');
}

const defaultPins = configSchema.parse({}).pins;

/** Where programs are pinned. Without a place for that an agent that is to outlive itself does not start. @throws AgentError `not-supported` */
function openPins({ pins: path }: AgentConfig, outlives: boolean, log: Logger): PinFolder | undefined {
  if (path === 'off') {
    const left = new PinFolder(defaultPins).sets.map((set) => set.path);
    if (left.length > 0)
      log.warn(
        { paths: left },
        `pins: off, but programs of an earlier agent are in force; "picket unload" with pins: ${defaultPins} takes them out`,
      );
    return undefined;
  }
  const pins = new PinFolder(path);
  try {
    pins.open();
    return pins;
  } catch (error) {
    if (outlives || !(error instanceof AgentError)) throw error;
    log.warn(`${error.message}. This agent runs without: were it killed, its rules would end with it`);
    return undefined;
  }
}

/** The backend for this machine and why, in one sentence. @throws AgentError `not-supported` */
export function chooseBackend(config: AgentConfig): { backend: Backend; reason: string } {
  const only = config.backend === 'auto' ? undefined : config.backend;
  const report = judge(gatherFacts(machineProbes), only);
  const { backend, reason } = report;
  if (backend === null) throw new AgentError('not-supported', `this machine lacks something\n${renderReport(report)}`);
  return { backend, reason };
}
