import type { Logger } from 'pino';
import { Agent } from './agent.ts';
import type { AgentConfig } from './config.ts';
import { AgentError } from './error.ts';
import { renderReport } from './kernel/doctor.ts';
import { gatherFacts } from './kernel/facts.ts';
import { type Backend, judge } from './kernel/feature.ts';
import { machineProbes } from './kernel/probes.ts';

export interface RunOptions {
  config: AgentConfig;
  /** Folders of policies, read at start. */
  policyDirs: readonly string[];
  log: Logger;
  signal: AbortSignal;
  /** Called when everything is in force. */
  ready(agent: Agent): Promise<void> | void;
}

/**
 * Runs the agent until `signal` aborts or somebody asks for unload: finds out what this kernel offers, loads the programs
 * of that backend, takes the policies over, answers on the control socket, and takes everything out again at the end.
 *
 * @throws AgentError `not-supported` when no backend works here, `already-running`, `config`
 */
export async function runAgent({ config, policyDirs, log, signal, ready }: RunOptions): Promise<void> {
  const { backend, reason } = chooseBackend(config);
  await using agent = await Agent.start({ config, backend, backendReason: reason, policyDirs, log });
  log.info({ backend, reason, socket: agent.socket, loadMs: Math.round(agent.loadMs) }, 'ready');
  await ready(agent);
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => aborted.resolve(), { once: true });
  if (signal.aborted) aborted.resolve();
  await Promise.race([aborted.promise, agent.unloaded]);
  log.info('stopping');
}

/** The backend for this machine and why, in one sentence. @throws AgentError `not-supported` */
export function chooseBackend(config: AgentConfig): { backend: Backend; reason: string } {
  const only = config.backend === 'auto' ? undefined : config.backend;
  const report = judge(gatherFacts(machineProbes), only);
  const { backend, reason } = report;
  if (backend === null) throw new AgentError('not-supported', `this machine lacks something\n${renderReport(report)}`);
  return { backend, reason };
}
