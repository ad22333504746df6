import { mkdirSync, readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openSpool, type Spool } from '../otel/spool/spool.ts';
import { readOrCreateToken } from '../otel/token.ts';
import * as abi from './abi.gen.ts';
import { type AgentConfig, settingsOf } from './config.ts';
import { AgentControl } from './control/api.ts';
import { isAgentThere } from './control/client.ts';
import { ControlServer } from './control/server.ts';
import { AgentError } from './error.ts';
import { nextEpoch, readBoot, readMachineId } from './event/boot.ts';
import { Pipeline } from './event/pipeline.ts';
import { killProcess, readProcess } from './event/proc.ts';
import { ProcessTable } from './event/processes.ts';
import { OtlpClient } from './export/client.ts';
import { Exporter } from './export/exporter.ts';
import { Sender } from './export/sender.ts';
import { type Mode, readMode, readPinnedModes, writeMode } from './kernel/control.ts';
import { Engine } from './kernel/engine.ts';
import type { Backend } from './kernel/feature.ts';
import type { PinFolder, Removed } from './kernel/pins.ts';
import { formatDiagnostic } from './policy/diagnostic.ts';
import { Enforcement, type PolicyResult } from './policy/enforcement.ts';
import { filesOf, ownerOf } from './policy/explain/answer.ts';
import { decideAccess } from './policy/explain/explain.ts';
import { readPolicyFolder } from './policy/folder.ts';
import { randomHashKey } from './policy/hash.ts';
import { LinkWatch } from './policy/link-watch.ts';
import { openRoot, readBelow } from './policy/links.ts';
import { formatRepetition, repetitions } from './policy/lint.ts';
import type { PolicyReading } from './policy/read.ts';
import { RuleSetTable } from './policy/sync.ts';
import { AgentState } from './state/state.ts';
import { version } from './version.ts';
import { WorkloadRegistry } from './workload/registry.ts';
import type { WorkloadSource } from './workload/source.ts';
import { uidInside } from './workload/users.ts';
import { Workloads } from './workload/workloads.ts';

export interface AgentOptions {
  config: AgentConfig;
  backend: Backend;
  /** One sentence: why this backend. */
  backendReason: string;
  /** Folders of policies, read at start. */
  policyDirs: readonly string[];
  /** Where programs and maps outlive the agent; undefined: rules end with it. */
  pins: PinFolder | undefined;
  log: Logger;
}

/** Alerts held in memory until they are on the disk, some 8 kB each; beyond that the rings are left alone. */
const maxPending = 1024;
/** How long the rings may be read in one go: others want to be answered, too. */
const maxTurnMs = 10;

/**
 * The agent: programs in the kernel, policies and workloads in, alerts out to the collector. Runs until it is closed; then
 * its programs leave the kernel, unless they are pinned: these go on with the rules that they have, and the next agent goes on
 * with them.
 */
export class Agent implements AsyncDisposable {
  readonly #config: AgentConfig;
  readonly #backend: Backend;
  readonly #backendReason: string;
  readonly #log: Logger;
  readonly #stack = new AsyncDisposableStack();
  readonly #engine: Engine;
  readonly #registry: WorkloadRegistry;
  readonly #enforcement: Enforcement;
  readonly #processes = new ProcessTable(readProcess);
  readonly #links: LinkWatch;
  readonly #workloads: Workloads;
  readonly #control: AgentControl;
  readonly #pipeline: Pipeline;
  readonly #spool: Spool;
  readonly #state: AgentState;
  readonly #exporter: Exporter;
  readonly #sender: Sender;
  readonly #client: OtlpClient;
  readonly #bootId: string;
  readonly #epoch: string;
  readonly #unload = Promise.withResolvers<void>();
  #removed: Removed[] | undefined;
  #isReleasing = false;
  #ended = false;
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
      agent.#takeFolders(options.policyDirs);
      agent.#dropOthers();
      agent.#watch([agent.#control]);
      const server = agent.#stack.use(new ControlServer(socket, agent.#control));
      await server.listen();
      return agent;
    } catch (error) {
      if (!agent.#engine.adopted) agent.takeOut();
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor({ config, backend, backendReason, pins, log }: AgentOptions) {
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
    this.#state = undo.use(new AgentState(join(config.stateDir, 'state.db'), boot.id, log));
    this.#epoch = nextEpoch(config.stateDir, boot.id);
    const { denyBytes, auditBytes } = config.rings;
    this.#engine = undo.use(
      new Engine({
        backend,
        hashKey: randomHashKey(),
        denyRingBytes: denyBytes,
        auditRingBytes: auditBytes,
        holdsBack: true,
        pins,
      }),
    );
    for (const note of this.#engine.notes) log.warn(note);
    const engine = this.#engine;
    let isWhole = false;
    undo.defer(() => {
      if (!isWhole && !engine.adopted) engine.takeOut();
    });
    const table = new RuleSetTable(engine);
    this.#registry = new WorkloadRegistry(this.#engine);
    this.#enforcement = new Enforcement(this.#engine, table, this.#registry, settingsOf(config), {
      hostName: config.hostName,
      state: this.#state,
    });
    this.#links = new LinkWatch(this.#enforcement, (workload) => this.#registry.rootPid(workload));
    this.#workloads = new Workloads(this.#registry, this.#enforcement, this.#processes, this.#state, log);
    this.#adopt(table);
    this.#control = new AgentControl({
      enforcement: this.#enforcement,
      registry: this.#registry,
      log,
      status: () => this.#status(),
      flush: (timeoutMs) => this.#flush(timeoutMs),
      setMode: (mode) => this.#setMode(mode),
      unload: () => this.takeOut(),
      end: () => this.#unload.resolve(),
    });
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
      judge: (workload, { path, owned }, { uid, program, terminal }) => {
        const { policies, spellings } = this.#enforcement.coveringNow(workload);
        const files = () => filesOf(workload, this.#registry, this.#enforcement.ownRoot);
        const owner = owned?.path ? ownerOf(files(), owned.path, owned.parent) : undefined;
        return decideAccess(policies, workload.record, this.#enforcement.settings, spellings, {
          category: 'file',
          thing: { kind: 'path', path, isProgram: false },
          ...{ program, terminal, change: true, write: false, args: [] },
          owner: owner === undefined || uidInside(workload.users, owner) === uid,
        });
      },
      kill: killProcess,
      started: (workload, pid) => this.#workloads.started(workload, pid),
      emit: (emission) => this.#exporter.add(emission),
      log,
    });
    isWhole = true;
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

  /** Takes programs, maps and pins out of the kernel: nothing is enforced from here on. */
  takeOut(): Removed[] {
    this.#removed ??= this.#engine.takeOut();
    return this.#removed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** Goes on where an earlier agent ended, with what it left in the kernel and on the disk. */
  #adopt(table: RuleSetTable): void {
    const { saved } = this.#state;
    this.#restoreMode();
    if (this.#engine.adopted) table.adopt(saved.ruleSets.filter(({ engine }) => engine === this.#engine.id));
    this.#workloads.adopt(saved.workloads, () => {
      for (const diagnostic of this.#enforcement.restore(saved))
        if (diagnostic.level === 'error')
          this.#log.error({ code: diagnostic.code }, `from before the start: ${formatDiagnostic(diagnostic)}`);
    });
    const { policies, settings, generation } = this.#enforcement;
    this.#state.write((writer) => writer.setSettings({ configured: settingsOf(this.#config), changed: settings }));
    if (!this.#engine.adopted && policies.length === 0) return;
    this.#log.info(
      {
        adopted: this.#engine.adopted,
        ...{
          policies: policies.length,
          workloads: this.#registry.all.length,
          unknown: this.#registry.unknown,
          generation,
        },
      },
      'going on with what was in force',
    );
  }

  /** The kernel knows better than the disk: `picket mode` works without an agent. */
  #restoreMode(): void {
    const pinned = this.#engine.pins === undefined ? [] : readPinnedModes(this.#engine.pins);
    const others = this.#engine.others.length > 0 || this.#engine.adopted ? pinned : [this.#state.saved.mode];
    this.#setMode(others.includes('audit') ? 'audit' : 'enforce');
  }

  #setMode(mode: Mode): void {
    const before = readMode(this.#engine.control);
    writeMode(this.#engine.control, mode);
    this.#state.write((writer) => writer.setMode(mode));
    if (mode === 'audit')
      this.#log.warn('mode audit: what a rule forbids passes and is reported; "picket mode enforce" ends that');
    else if (before === 'audit') this.#log.warn('mode enforce: what a rule forbids is refused again');
  }

  /**
   * Takes over the policies of folders. When one cannot be read, those that came from there before stay in force.
   *
   * @throws AgentError `config` when there are none from before either
   */
  #takeFolders(dirs: readonly string[]): void {
    let readings: PolicyReading[];
    try {
      readings = dirs.flatMap((dir) => readPolicyFolder(dir));
    } catch (error) {
      const kept = this.#state.saved.policies.filter(({ origin }) => origin === 'folder');
      if (!(error instanceof AgentError) || kept.length === 0) throw error;
      this.#log.error(`${error.message}; what came from there before stays in force (policies: ${kept.length})`);
      return;
    }
    for (const repetition of repetitions(readings)) this.#log.warn(formatRepetition(repetition));
    this.#policyFiles = this.#enforcement.applyFolder(readings);
  }

  /** Everything is in force in maps of this version: those of others go. */
  #dropOthers(): void {
    for (const set of this.#engine.others) {
      if (this.#state.saved.isCurrent) {
        const removed = set.remove();
        if (removed !== undefined) this.#log.info(removed, 'programs of another version are out of the kernel');
      } else
        this.#log.error(
          { path: set.path },
          'programs of another version stay in force beside these: which workloads they are for is not known any more. "picket unload" takes all out',
        );
    }
  }

  #status() {
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
      pins: {
        path: this.#engine.pinPath ?? 'off',
        adopted: this.#engine.adopted,
        unknownWorkloads: this.#registry.unknown,
        others: this.#engine.others.map(({ path }) => path),
      },
      mode: readMode(this.#engine.control),
      state: this.#state.failure ?? 'written',
      workloads: this.#registry.all.length,
      /** What is in use of the tables of the kernel side, and how much there is room for. */
      tables: {
        workloads: { used: this.#registry.all.length, room: abi.limits.MAX_WORKLOADS - 1 },
        ruleSets: { used: this.#enforcement.ruleSets, room: abi.limits.MAX_SETS - 1 },
        cgroups: this.#engine.cgroups(),
        /** In bytes. */
        patterns: { used: this.#engine.arena.used, room: this.#engine.arena.capacity },
      },
      policies: this.#enforcement.policies.filter(({ observedGeneration }) => observedGeneration > 0).length,
      processes: this.#processes.size,
      counters: this.#engine.counters(),
      ledger: this.#ledger(),
    };
  }

  /** What comes after the request may still be on its way when it is answered. */
  async #flush(timeoutMs: number): Promise<{ delivered: boolean; alerts: number }> {
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

  #watch(sources: readonly WorkloadSource[]): void {
    const stop = new AbortController();
    this.#stack.defer(() => stop.abort());
    for (const source of sources)
      source
        .watch((change) => this.#workloads.take(change), stop.signal)
        .catch((err: unknown) => this.#log.fatal({ err, source: source.name }, 'a source of workloads has stopped'));
  }

  #startLoops(): void {
    const drain = setInterval(() => this.#drain(), this.#config.rings.drainEveryMs);
    const tidy = setInterval(() => this.#tidy(), 2000);
    const links = setInterval(() => this.#checkLinks(), 500);
    const sending = this.#sender.run().catch((err: unknown) => this.#log.fatal({ err }, 'sending alerts has stopped'));
    this.#stack.defer(async () => {
      clearInterval(drain);
      clearInterval(tidy);
      clearInterval(links);
      await this.#emptyRings(performance.now() + 1000);
      this.#ended = true;
      this.#engine.release(this.#engine.readPositions);
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
      const end = performance.now() + maxTurnMs;
      while (this.#exporter.pending < maxPending && this.#pipeline.drain() > 0 && performance.now() < end);
      this.#releaseWhenWritten();
    } catch (err) {
      this.#log.error({ err }, 'reading the rings failed');
    }
  }

  #checkLinks(): void {
    try {
      for (const { record, generation } of this.#links.check())
        this.#log.debug({ container: record.containerId, generation }, 'links in rules were resolved again');
    } catch (err) {
      this.#log.error({ err }, 'links in rules could not be resolved again; they hold as they were');
    }
  }

  /** What is on the disk need not be in the rings any more; an agent that is killed before loses nothing. */
  #releaseWhenWritten(): void {
    if (this.#isReleasing) return;
    const read = this.#engine.readPositions;
    if (this.#exporter.pending === 0) {
      this.#engine.release(read);
      return;
    }
    this.#isReleasing = true;
    void this.#exporter.settled().then(() => {
      this.#isReleasing = false;
      if (!this.#ended) this.#engine.release(read);
    });
  }

  #tidy(): void {
    try {
      this.#processes.expire(BigInt(Math.round(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1e9)));
      this.#workloads.removeEnded();
      this.#state.repair((writer) => this.#enforcement.save(writer));
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
