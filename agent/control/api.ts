import { once } from 'node:events';
import type { Logger } from 'pino';
import { z } from 'zod';
import { AgentError } from '../error.ts';
import type { Mode } from '../kernel/control.ts';
import type { Removed } from '../kernel/pins.ts';
import { formatDiagnostic } from '../policy/diagnostic.ts';
import type { Enforcement, PolicyResult } from '../policy/enforcement.ts';
import { answer, filesOf } from '../policy/explain/answer.ts';
import { checkObject, questionSchema } from '../policy/explain/question.ts';
import { parsePolicyObject, readPolicies } from '../policy/read.ts';
import { settingsSchema } from '../policy/settings.ts';
import type { Workload, WorkloadRegistry } from '../workload/registry.ts';
import type { TakeChange, WorkloadSource } from '../workload/source.ts';
import { workloadSchema } from '../workload/workload.ts';
import type { ControlApi } from './server.ts';

/** Objects, or the texts of files: then diagnostics and explanations know line and column. */
const putPolicies = z.strictObject({
  policies: z.array(z.unknown()).max(100_000).default([]),
  files: z
    .array(z.strictObject({ file: z.string().max(4095), text: z.string() }))
    .max(100_000)
    .default([]),
});
const deletePolicies = z.strictObject({
  policies: z.array(
    z.strictObject({ kind: z.string().optional(), namespace: z.string().optional(), name: z.string() }),
  ),
});
const deleteWorkload = z.strictObject({ containerId: z.string() });
const putMode = z.strictObject({ mode: z.enum(['enforce', 'audit']) });
const flushBody = z.strictObject({ timeoutMs: z.int().min(0).max(600_000).default(10_000) });

/** The parts of the agent that requests are about. */
export interface AgentParts {
  enforcement: Enforcement;
  registry: WorkloadRegistry;
  log: Logger;
  status(): object;
  /** Everything up to now is delivered, or not in time. */
  flush(timeoutMs: number): Promise<{ delivered: boolean; alerts: number }>;
  /** Lets every refusal pass, or refuses again. */
  setMode(mode: Mode): void;
  /** Takes everything out of the kernel. */
  unload(): Removed[];
  /** Ends the agent. */
  end(): void;
}

/** Requests of the control socket, checked and carried out; as a source of workloads it yields what is PUT and DELETEd. */
export class AgentControl implements ControlApi, WorkloadSource {
  readonly name = 'control socket';
  readonly #parts: AgentParts;
  #take: TakeChange | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  async watch(take: TakeChange, signal: AbortSignal): Promise<void> {
    this.#take = take;
    if (!signal.aborted) await once(signal, 'abort');
    this.#take = undefined;
  }

  status() {
    return this.#parts.status();
  }

  policies() {
    const { policies: results, diagnostics } = this.#parts.enforcement;
    return { results, diagnostics };
  }

  putPolicies(body: unknown) {
    const { policies, files } = putPolicies.parse(body);
    const { enforcement, log } = this.#parts;
    const readings = [
      ...policies.map((policy) => parsePolicyObject(policy)),
      ...files.flatMap(({ file, text }) => readPolicies(text, file)),
    ];
    const results = enforcement.apply(readings);
    logPolicies(results, log);
    return { results };
  }

  deletePolicies(body: unknown) {
    const { policies } = deletePolicies.parse(body);
    const { enforcement } = this.#parts;
    const wanted = policies.map(({ kind, namespace, name }) => ({
      name,
      ...(kind !== undefined && { kind }),
      ...(namespace !== undefined && { namespace }),
    }));
    return { deleted: enforcement.delete(wanted), generation: enforcement.generation };
  }

  workloads() {
    return {
      workloads: this.#parts.registry.all.map(({ id, record, generation, hostMounts, expected }) => ({
        id: String(id),
        generation,
        ...record,
        hostMounts,
        expected: expected !== undefined,
      })),
    };
  }

  putWorkload(body: unknown) {
    const record = workloadSchema.parse(body);
    const known = this.#parts.registry.findContainer(record.containerId) !== undefined;
    return this.#taken({ kind: known ? 'changed' : 'added', record });
  }

  deleteWorkload(body: unknown) {
    const { containerId } = deleteWorkload.parse(body);
    this.#taken({ kind: 'removed', containerId });
    return { deleted: containerId };
  }

  putSettings(body: unknown) {
    const { enforcement } = this.#parts;
    const settings = settingsSchema.parse({
      ...enforcement.settings,
      ...z.record(z.string(), z.unknown()).parse(body),
    });
    enforcement.changeSettings(settings);
    return { settings, generation: enforcement.generation };
  }

  explain(body: unknown) {
    const question = questionSchema.parse(body);
    checkObject(question);
    const { enforcement, registry } = this.#parts;
    const workload = findWorkload(registry, question.workload);
    const files = filesOf(workload, registry, enforcement.ownRoot);
    return answer(question, workload, enforcement.covering(workload), enforcement.settings, files);
  }

  putMode(body: unknown) {
    const { mode } = putMode.parse(body);
    this.#parts.setMode(mode);
    return { mode };
  }

  flush(body: unknown) {
    return this.#parts.flush(flushBody.parse(body).timeoutMs);
  }

  unload() {
    const removed = this.#parts.unload();
    setImmediate(() => this.#parts.end());
    return { unloaded: true, removed };
  }

  #taken(change: Parameters<TakeChange>[0]) {
    if (this.#take === undefined) throw new AgentError('failed', 'the agent is starting or stopping; ask again');
    return this.#take(change);
  }
}

/** Says in the log what became of policies, and what their authors should know. */
export function logPolicies(results: readonly PolicyResult[], log: Logger): void {
  for (const { diagnostics, status, kind, namespace, name, observedGeneration } of results) {
    log.info({ kind, namespace, name, status, generation: observedGeneration }, 'policy');
    if (status === 'Invalid' && observedGeneration > 0)
      log.warn(
        { kind, namespace, name, generation: observedGeneration },
        'refused: the version of before stays in force',
      );
    for (const diagnostic of diagnostics)
      if (diagnostic.level !== 'info') log.warn({ code: diagnostic.code, policy: name }, formatDiagnostic(diagnostic));
  }
}

/** `host`, a container id, `NAMESPACE/POD` or `NAMESPACE/POD/CONTAINER`. @throws AgentError `workload` */
function findWorkload(registry: WorkloadRegistry, name: string): Workload {
  const [namespace, pod, container] = name.split('/');
  const found = registry.all.filter(
    ({ record }) =>
      record.containerId === name ||
      (record.namespace === namespace &&
        record.pod === pod &&
        (container === undefined || record.container === container)),
  );
  if (name === 'host' && registry.host !== undefined) found.push(registry.host);
  const [workload] = found;
  if (workload !== undefined && found.length === 1) return workload;
  const known = registry.all.map(({ record }) => `${record.namespace}/${record.pod}/${record.container}`).slice(0, 20);
  if (workload === undefined)
    throw new AgentError(
      'workload',
      `no workload ${name} is known here; known: ${known.join(', ') || 'none'}${name === 'host' ? ' (the node is one while a host policy is in force)' : ''}`,
    );
  throw new AgentError('workload', `${name} names ${found.length} containers; add /CONTAINER: ${known.join(', ')}`);
}
