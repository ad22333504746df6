import { mkdirSync, readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { openSpool, type Spool } from '../otel/spool/spool.ts';
import { readOrCreateToken } from '../otel/token.ts';
import * as abi from './abi.gen.ts';
import { type AgentConfig, settingsOf } from './config.ts';
import { isAgentThere } from './control/client.ts';
import { type ControlApi, ControlServer } from './control/server.ts';
import { AgentError } from './error.ts';
import { nextEpoch, readBoot, readMachineId } from './event/boot.ts';
import { Pipeline } from './event/pipeline.ts';
import { readProcess, readStart } from './event/proc.ts';
import { ProcessTable } from './event/processes.ts';
import { OtlpClient } from './export/client.ts';
import { Exporter } from './export/exporter.ts';
import { Sender } from './export/sender.ts';
import { Engine } from './kernel/engine.ts';
import type { Backend } from './kernel/feature.ts';
import { type Diagnostic, formatDiagnostic } from './policy/diagnostic.ts';
import { Enforcement, type PolicyResult } from './policy/enforcement.ts';
import { readPolicyFolder } from './policy/folder.ts';
import { randomHashKey } from './policy/hash.ts';
import { openRoot, readBelow } from './policy/links.ts';
import { type PolicyReading, parsePolicyObject } from './policy/read.ts';
import { policyKinds } from './policy/rule.ts';
import { settingsSchema } from './policy/settings.ts';
import { RuleSetTable } from './policy/sync.ts';
import { version } from './version.ts';
import { type Workload, WorkloadRegistry } from './workload/registry.ts';
import { readUserMap } from './workload/users.ts';
import { workloadSchema } from './workload/workload.ts';

export interface AgentOptions {
  config: AgentConfig;
  backend: Backend;
  /** One sentence: why this backend. */
  backendReason: string;
  /** Folders of policies, read at start. */
  policyDirs: readonly string[];
  log: Logger;
}

const putPolicies = z.strictObject({ policies: z.array(z.unknown()).max(100_000) });
const deletePolicies = z.strictObject({
  policies: z.array(
    z.strictObject({ kind: z.enum(policyKinds).optional(), namespace: z.string().optional(), name: z.string() }),
  ),
});
const deleteWorkload = z.strictObject({ containerId: z.string() });
const flushBody = z.strictObject({ timeoutMs: z.int().min(0).max(600_000).default(10_000) });

/** Alerts held in memory until they are on the disk; beyond that the rings are left alone. */
const maxPending = 16_384;

/**
 * The agent: programs in the kernel, policies and workloads through the control socket, alerts out to the collector. Runs
 * until it is closed; then its programs leave the kernel.
 */
export class Agent implements ControlApi, AsyncDisposable {
  readonly #config: AgentConfig;
  readonly #backend: Backend;
  readonly #backendReason: string;
  readonly #log: Logger;
  readonly #stack = new AsyncDisposableStack();
  readonly #engine: Engine;
  readonly #registry: WorkloadRegistry;
  readonly #enforcement: Enforcement;
  readonly #processes = new ProcessTable(readProcess);
  readonly #pipeline: Pipeline;
  readonly #spool: Spool;
  readonly #exporter: Exporter;
  readonly #sender: Sender;
  readonly #client: OtlpClient;
  readonly #bootId: string;
  readonly #epoch: string;
  readonly #unload = Promise.withResolvers<void>();
  #connections = 0;
  #spoolFailed = 0;
  #policyFiles: PolicyResult[] = [];

  /**
   * Starts an agent.
   *
   * @throws AgentError `already-running`; KernelError when the kernel refuses the programs
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const socket = controlSocket(options.config);
    await refuseSecond(socket);
    mkdirSync(options.config.stateDir, { recursive: true, mode: 0o700 });
    mkdirSync(options.config.runDir, { recursive: true, mode: 0o700 });
    const agent = new Agent(options);
    try {
      agent.#loadPolicyFolders(options.policyDirs);
      const server = agent.#stack.use(new ControlServer(socket, agent));
      await server.listen();
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor({ config, backend, backendReason, log }: AgentOptions) {
    this.#config = config;
    this.#backend = backend;
    this.#backendReason = backendReason;
    this.#log = log;
    const boot = readBoot(config.runDir);
    this.#bootId = boot.id;
    using undo = new DisposableStack();
    // First the spool, which one process holds at a time: a second agent stops here before it touches the kernel.
    this.#spool = undo.use(openSpool(join(config.stateDir, 'spool.db')));
    if (this.#spool.setAside !== undefined)
      log.error(
        { file: this.#spool.setAside },
        'the spool was damaged; its file was set aside, the alerts in it are not sent',
      );
    this.#epoch = nextEpoch(config.stateDir, boot.id);
    const { denyBytes, auditBytes } = config.rings;
    this.#engine = undo.use(
      new Engine({ backend, hashKey: randomHashKey(), denyRingBytes: denyBytes, auditRingBytes: auditBytes }),
    );
    const table = new RuleSetTable(this.#engine);
    this.#registry = new WorkloadRegistry(this.#engine);
    this.#enforcement = new Enforcement(this.#engine, table, this.#registry, settingsOf(config));
    this.#client = undo.use(
      new OtlpClient({
        endpoint: config.collector.endpoint,
        token: () => readOrCreateToken(config.collector.tokenFile),
        timeoutMs: config.collector.timeoutMs,
      }),
    );
    const { endpoint, tokenFile } = config.collector;
    this.#sender = new Sender(this.#spool, this.#client, log.child({ endpoint, tokenFile }));
    this.#exporter = new Exporter(
      this.#spool,
      () => this.#sender.notify(),
      (alerts, err) => {
        this.#spoolFailed += alerts;
        this.#pipeline.forgetSpans(); // those of processes went with them
        log.error({ err, alerts }, 'alerts could not be written to the spool: they are lost');
      },
    );
    const machineId = readMachineId(config.stateDir);
    this.#pipeline = new Pipeline(this.#engine, {
      sensor: {
        cluster: config.cluster,
        clusterUid: machineId,
        hostName: config.hostName ?? hostname(),
        nodeId: machineId,
        version,
        boot,
        epoch: this.#epoch,
      },
      kernelRelease: release(),
      processes: this.#processes,
      workload: (id) => this.#registry.find(id),
      ruleSet: (set, generation) => table.find(set, generation),
      withRoot: (workload, use) => {
        try {
          using root = openRoot(workload.hostMounts ? '/' : `/proc/${this.#registry.rootPid(workload)}/root`);
          return use(readBelow(workload.hostMounts ? this.#enforcement.ownRoot : '/', root.read));
        } catch {
          return use(() => ({ kind: 'other' })); // the process ended: links cannot be followed any more
        }
      },
      started: (workload, pid) => this.#workloadStarted(workload, pid),
      emit: (emission) => this.#exporter.add(emission),
      log,
    });
    this.#stack.use(undo.move());
    this.#startLoops();
  }

  get socket(): string {
    return controlSocket(this.#config);
  }

  /** Milliseconds that the kernel took to check the programs. */
  get loadMs(): number {
    return this.#engine.loadMs;
  }

  /** What became of the policies in the folder. */
  get policyFiles(): readonly PolicyResult[] {
    return this.#policyFiles;
  }

  /** Resolves when somebody asked for `unload`. */
  get unloaded(): Promise<void> {
    return this.#unload.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  // ── control socket ──

  status() {
    return {
      version,
      pid: process.pid,
      backend: this.#backend,
      backendReason: this.#backendReason,
      kernel: release(),
      bootId: this.#bootId,
      epoch: this.#epoch,
      abi: abi.ABI,
      generation: this.#enforcement.generation,
      workloads: this.#registry.all.length,
      policies: this.#enforcement.policies.length,
      processes: this.#processes.size,
      counters: this.#engine.counters(),
      ledger: this.#ledger(),
    };
  }

  policies() {
    return { results: this.#enforcement.policies };
  }

  putPolicies(body: unknown) {
    const { policies } = putPolicies.parse(body);
    return { results: this.#apply(policies.map((policy) => parsePolicyObject(policy))) };
  }

  deletePolicies(body: unknown) {
    const { policies } = deletePolicies.parse(body);
    const wanted = policies.map(({ kind, namespace, name }) => ({
      name,
      ...(kind !== undefined && { kind }),
      ...(namespace !== undefined && { namespace }),
    }));
    return { deleted: this.#enforcement.delete(wanted), generation: this.#enforcement.generation };
  }

  workloads() {
    return {
      workloads: this.#registry.all.map(({ id, record, generation, hostMounts }) => ({
        id: String(id),
        generation,
        hostMounts,
        ...record,
      })),
    };
  }

  putWorkload(body: unknown) {
    const record = workloadSchema.parse(body);
    const before = this.#registry.findContainer(record.containerId)?.record;
    const workload = this.#registry.prepare(record);
    let diagnostics: Diagnostic[];
    try {
      diagnostics = this.#enforcement.cover(workload);
      this.#registry.connect(workload);
    } catch (error) {
      if (before === undefined) this.#enforcement.uncover([workload]);
      else workload.record = before;
      throw error;
    }
    this.#adopt(workload);
    this.#log.info(
      { container: workload.record.containerId, pod: workload.record.pod, generation: workload.generation },
      'workload registered',
    );
    return { id: String(workload.id), generation: workload.generation, diagnostics };
  }

  deleteWorkload(body: unknown) {
    const { containerId } = deleteWorkload.parse(body);
    const workload = this.#registry.findContainer(containerId);
    if (workload === undefined) throw new AgentError('workload', `no workload with the container id ${containerId}`);
    this.#enforcement.uncover([workload]);
    return { deleted: containerId };
  }

  putSettings(body: unknown) {
    const settings = settingsSchema.parse({
      ...this.#enforcement.settings,
      ...z.record(z.string(), z.unknown()).parse(body),
    });
    this.#enforcement.changeSettings(settings);
    return { settings, generation: this.#enforcement.generation };
  }

  /** What comes after the request may still be on its way when it is answered. */
  async flush(body: unknown) {
    const { timeoutMs } = flushBody.parse(body);
    const deadline = performance.now() + timeoutMs;
    const { isRead, last } = await this.#emptyRings(deadline);
    const isDelivered = (): boolean => {
      const { entries, oldest = 0 } = this.#spool.stats();
      return entries === 0 || (last > 0 && oldest > last); // last 0: nothing of this start, but maybe of one before
    };
    this.#sender.notify();
    while (!isDelivered() && performance.now() < deadline) await setTimeout(10);
    return { delivered: isRead && isDelivered(), alerts: this.#pipeline.stats.alerts };
  }

  unload() {
    setImmediate(() => this.#unload.resolve());
    return { unloaded: true };
  }

  // ── inside ──

  #ledger() {
    const spool = this.#spool.stats();
    const { delivered, refused, retries } = this.#sender.stats;
    return {
      epoch: this.#epoch,
      emitted: this.#pipeline.stats.alerts,
      delivered,
      queued: spool.records,
      dropped: { refused, spool: this.#spoolFailed },
      unread: { broken: this.#pipeline.stats.broken, unnamed: this.#pipeline.stats.unnamed },
      spoolBytes: spool.bytes,
      retries,
    };
  }

  #apply(readings: PolicyReading[]): PolicyResult[] {
    const results = this.#enforcement.apply(readings);
    for (const { diagnostics, status, kind, namespace, name, observedGeneration } of results) {
      this.#log.info({ kind, namespace, name, status, generation: observedGeneration }, 'policy');
      for (const diagnostic of diagnostics)
        if (diagnostic.level !== 'info')
          this.#log.warn({ code: diagnostic.code, policy: name }, formatDiagnostic(diagnostic));
    }
    return results;
  }

  #loadPolicyFolders(dirs: readonly string[]): void {
    this.#policyFiles = this.#apply(dirs.flatMap((dir) => readPolicyFolder(dir)));
  }

  /** Processes that were in a workload before it was registered: no event tells about them, and they may end soon. */
  #adopt(workload: Workload): void {
    for (const pid of this.#registry.pids(workload)) {
      const startNs = readStart(pid);
      if (startNs !== undefined) this.#processes.find(pid, startNs);
    }
  }

  /** The first program of a workload that was empty when it was registered: now its links can be resolved. */
  #workloadStarted(workload: Workload, pid: number): void {
    if (workload.rootPid !== undefined || workload.hostMounts) return;
    workload.rootPid = pid;
    workload.users = readUserMap(pid);
    try {
      for (const diagnostic of this.#enforcement.cover(workload))
        if (diagnostic.level === 'error') this.#log.error({ code: diagnostic.code }, formatDiagnostic(diagnostic));
    } catch (err) {
      this.#log.error(
        { err, container: workload.record.containerId },
        'the links in the rules of a workload could not be resolved; they hold as written until the next change',
      );
    }
  }

  #startLoops(): void {
    const drain = setInterval(() => this.#drain(), this.#config.rings.drainEveryMs);
    const tidy = setInterval(() => this.#tidy(), 2000);
    const sending = this.#sender.run().catch((err: unknown) => this.#log.fatal({ err }, 'sending alerts has stopped'));
    this.#stack.defer(async () => {
      clearInterval(drain);
      clearInterval(tidy);
      await this.#emptyRings(performance.now() + 1000);
      const deadline = performance.now() + 2000;
      while (this.#spool.stats().entries > 0 && this.#client.connections > 0 && performance.now() < deadline) {
        this.#sender.notify();
        await setTimeout(20);
      }
      this.#sender.stop();
      await sending;
      const { records } = this.#spool.stats();
      if (records > 0) this.#log.warn({ alerts: records }, 'alerts wait in the spool for the next start');
    });
  }

  /** Everything that is in the rings now goes to the disk; `last` is its last position in the spool. */
  async #emptyRings(deadline: number): Promise<{ isRead: boolean; last: number }> {
    const mark = this.#pipeline.mark();
    while (!this.#pipeline.isPast(mark) && performance.now() < deadline) {
      this.#drain();
      if (!this.#pipeline.isPast(mark)) await setTimeout(1); // the disk is slow, or a record is being written
    }
    return { isRead: this.#pipeline.isPast(mark), last: await this.#exporter.flush() };
  }

  #drain(): void {
    try {
      if (this.#client.connections !== this.#connections) {
        this.#connections = this.#client.connections;
        this.#pipeline.forgetSpans();
      }
      // A slow disk: what the rings cannot hold meanwhile is counted there, what we would hold is not bounded.
      if (this.#exporter.pending < maxPending) this.#pipeline.drain();
    } catch (err) {
      this.#log.error({ err }, 'reading the rings failed');
    }
  }

  #tidy(): void {
    try {
      this.#processes.expire(BigInt(Math.round(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1e9)));
      const ended = this.#registry.ended();
      for (const { record } of ended) this.#log.info({ container: record.containerId }, 'workload ended');
      this.#enforcement.uncover(ended);
    } catch (err) {
      this.#log.error({ err }, 'tidying up failed');
    }
  }
}

/** @throws AgentError `already-running` when an agent answers on the socket */
export async function refuseSecond(socket: string): Promise<void> {
  if (await isAgentThere(socket))
    throw new AgentError(
      'already-running',
      `an agent already acts on this machine (it answers on ${socket}); stop it first, or use it`,
    );
}

/** The path of the control socket. */
export function controlSocket(config: AgentConfig): string {
  return join(config.runDir, 'agent.sock');
}
