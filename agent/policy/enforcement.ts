import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { AgentError } from '../error.ts';
import { writeIoUring } from '../kernel/control.ts';
import type { Engine } from '../kernel/engine.ts';
import { KernelError } from '../kernel/error.ts';
import type { Backend } from '../kernel/feature.ts';
import type { PolicyOrigin, SavedPolicy, SavedRuleSet, SavedSettings, SavedState } from '../state/saved.ts';
import { forgetful, type StateKeeper, type StateWriter } from '../state/state.ts';
import { hostRecord } from '../workload/host.ts';
import type { Workload, WorkloadRegistry } from '../workload/registry.ts';
import { CompileError } from './compile-error.ts';
import { gapsOf } from './coverage.ts';
import { type Diagnostic, diagnose, type Subject, subjectOf } from './diagnostic.ts';
import { HashCollision } from './encode.ts';
import { locateIn, placesOf } from './places.ts';
import { type Plan, Planner } from './plan.ts';
import { posturesOf } from './posture.ts';
import { type PolicyReading, readPolicyAgain } from './read.ts';
import { Roots } from './roots.ts';
import { type Policy, policyKey } from './rule.ts';
import { appliesTo } from './select.ts';
import type { Settings } from './settings.ts';
import { type Spellings, under } from './spelling.ts';
import type { RuleSetTable } from './sync.ts';
import { findSyscall } from './syscall.ts';
import { targetDiagnostics } from './target.ts';

/** What became of one policy object. */
export interface PolicyResult {
  kind: string;
  namespace: string;
  name: string;
  status: 'Applied' | 'Partial' | 'Invalid' | 'Unsupported' | 'Pending';
  /** Generation in force when the object was taken over; of one that was refused: when the version was that stays, 0 if there is none. */
  observedGeneration: number;
  /** Workloads covered by what is in force. */
  workloads: number;
  diagnostics: Diagnostic[];
}

/** As the object has it: it may be of a kind that is not supported. */
type Identity = Pick<PolicyResult, 'kind' | 'namespace' | 'name'>;

interface Held {
  policy: Policy;
  status: 'Applied' | 'Partial';
  generation: number;
  diagnostics: readonly Diagnostic[];
  origin: PolicyOrigin;
  /** As its author wrote it. */
  object: unknown;
}

/** What covers a workload: its policies, and their paths as the kernel shows them there. */
export interface Covering {
  policies: Policy[];
  spellings: Spellings;
}

/**
 * Policies, settings and workloads, brought together: each change compiles the rule sets of the workloads that it concerns,
 * loads those that are new beside the old ones, and only then flips. What cannot be compiled or loaded leaves everything as it was.
 */
export class Enforcement {
  readonly #table: RuleSetTable;
  readonly #registry: WorkloadRegistry;
  /** Where the agent's own root directory lies in its mount namespace: the root of local workloads. */
  readonly ownRoot: string;
  #policies = new Map<string, Held>();
  /** The last word on objects that were not taken over, until a version of them is, or they are deleted. */
  readonly #refused = new Map<string, PolicyResult>();
  #settings: Settings;
  readonly #hostName: string;
  #generation = 0;
  readonly #backend: Backend;
  readonly #planner: Planner;
  readonly #calls: Engine['calls'];
  readonly #control: Engine['control'];
  /** What is in force, by id of the workload. */
  readonly #plans = new Map<bigint, Plan>();
  readonly #state: StateKeeper;
  /** Rule sets whose names the disk need not know any more. */
  readonly #forgotten: ReturnType<RuleSetTable['collect']> = [];
  /** Settings as the configuration gives them. */
  readonly #configured: Settings;
  readonly #covering = new WeakMap<
    Workload,
    Covering & Pick<Workload, 'generation' | 'rootPid'> & { settings: Settings }
  >();

  constructor(
    engine: Engine,
    table: RuleSetTable,
    registry: WorkloadRegistry,
    settings: Settings,
    { hostName = hostname(), state = forgetful }: { hostName?: string | undefined; state?: StateKeeper } = {},
  ) {
    this.#state = state;
    this.#configured = settings;
    this.#table = table;
    this.#registry = registry;
    this.#backend = engine.backend;
    this.ownRoot = engine.ownRoot();
    this.#planner = new Planner(engine.hashKey, this.ownRoot);
    this.#calls = engine.calls;
    this.#control = engine.control;
    this.#settings = settings;
    this.#hostName = hostName;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Rule sets in the kernel. */
  get ruleSets(): number {
    return this.#table.size;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /**
   * What became of every object. A version that was refused speaks for it, with the generation and the workloads of the
   * earlier one that stays in force (0: there is none).
   */
  get policies(): PolicyResult[] {
    const plans = this.#covered();
    const held = [...this.#policies].map(([key, each]) => {
      const result = this.#result(each, plans);
      const refused = this.#refused.get(key);
      return refused ? { ...result, status: refused.status, diagnostics: refused.diagnostics } : result;
    });
    return [...held, ...[...this.#refused].filter(([key]) => !this.#policies.has(key)).map(([, result]) => result)];
  }

  /** What is to be said now that is about no policy: annotations of namespaces. */
  get diagnostics(): Diagnostic[] {
    const found = this.#registry.all.flatMap(({ record }) => posturesOf(record, this.#settings).diagnostics);
    return [...new Map(found.map((each) => [`${each.namespace} ${each.field}`, each])).values()];
  }

  /** Takes policies over; the answer is given after the flip. A policy that cannot be had leaves its earlier version in force. */
  apply(readings: readonly PolicyReading[], origin: PolicyOrigin = 'control'): PolicyResult[] {
    const accepted = readings.filter((reading) => reading.policy !== undefined);
    const failures = new Map<PolicyReading, Diagnostic[]>();
    if (!this.#tryApply(accepted, failures, origin) && accepted.length > 1) {
      // One of them is to blame: one after the other, so that the others load.
      failures.clear();
      for (const reading of accepted) this.#tryApply([reading], failures, origin);
    }
    const plans = this.#covered();
    const results = readings.map((reading) => this.#resultOf(reading, failures.get(reading), plans));
    for (const result of results) {
      if (result.status !== 'Invalid' && result.status !== 'Unsupported') this.#refused.delete(policyKey(result));
      else if (result.name !== '') this.#refused.set(policyKey(result), result);
    }
    return results;
  }

  /** Removes policies; unknown ones are left out of the answer. @throws AgentError `failed` when the rules without them cannot be had */
  delete(identities: readonly Partial<Identity>[]): Identity[] {
    const isMeant = (policy: Identity): boolean => identities.some((wanted) => matches(policy, wanted));
    const removed = new Map<string, Identity>();
    const next = new Map(this.#policies);
    for (const [key, { policy }] of this.#policies)
      if (isMeant(policy)) {
        next.delete(key);
        removed.set(key, policy);
      }
    if (removed.size > 0) this.#changeOrStay(next, this.#settings);
    for (const [key, policy] of this.#refused)
      if (isMeant(policy)) {
        this.#refused.delete(key);
        removed.set(key, policy);
      }
    return [...removed.values()].map(({ kind, namespace, name }) => ({ kind, namespace, name }));
  }

  /**
   * Takes over the folder's policies: those that came from it before and have no file any more are deleted. As long as it
   * holds something that cannot be read, nobody knows what that was meant to be, and nothing is deleted.
   */
  applyFolder(readings: readonly PolicyReading[]): PolicyResult[] {
    const results = this.apply(readings, 'folder');
    if (results.some(({ name }) => name === '')) return results;
    const there = new Set(results.map((result) => policyKey(result)));
    const next = new Map([...this.#policies].filter(([key, { origin }]) => origin !== 'folder' || there.has(key)));
    if (next.size < this.#policies.size) this.#change(next, this.#settings);
    return results;
  }

  /**
   * Goes on where an earlier agent ended: its policies and settings are in force on every workload of the registry when
   * this returns. A workload that is under the very same rules is not touched.
   *
   * @returns what cannot be had as it was
   */
  restore({ policies, settings, generation }: Pick<SavedState, 'policies' | 'settings' | 'generation'>): Diagnostic[] {
    const problems: Diagnostic[] = [];
    this.#generation = Math.max(generation, ...this.#registry.all.map((workload) => workload.generation));
    this.#settings = restoreSettings(this.#configured, settings);
    writeIoUring(this.#control, this.#settings.ioUring);
    for (const { object, origin, generation: since, places } of policies) {
      const { policy, status, diagnostics } = readPolicyAgain(object, locateIn(places));
      if (policy === undefined) problems.push(...diagnostics);
      else
        this.#policies.set(policyKey(policy), {
          ...{ policy, origin, object, diagnostics, generation: since },
          status: status === 'Partial' ? 'Partial' : 'Applied',
        });
    }
    const workloads = this.#workloads([...this.#policies.values()], this.#settings);
    using roots = new Roots(this.#registry);
    const plans = workloads.flatMap((workload) => {
      try {
        const { plan, problems: found } = this.#planTolerant(workload, roots);
        problems.push(...found);
        if (!this.#table.isInForce(workload.slot, plan.encoded)) return [plan];
        this.#plans.set(workload.id, plan);
      } catch (error) {
        problems.push(...loadFailures({}, error));
      }
      return [];
    });
    try {
      this.#install(plans);
    } catch (error) {
      problems.push(...loadFailures({}, error)); // the rules that the workloads have stay
    }
    this.#connectHost(workloads);
    return problems;
  }

  /** Everything that has to be on the disk. */
  save(writer: StateWriter): void {
    for (const held of this.#policies.values()) writer.putPolicy(toSaved(held));
    for (const ruleSet of this.#table.saved) writer.putRuleSet(ruleSet);
    for (const workload of this.#registry.all) writer.putWorkload(this.#registry.toSaved(workload));
    writer.setGeneration(this.#generation);
    writer.setSettings({ configured: this.#configured, changed: this.#settings });
  }

  /** Changes settings and judges by them from the answer on. @throws AgentError `failed` when the rules under them cannot be had */
  changeSettings(settings: Settings): void {
    this.#changeOrStay(this.#policies, settings);
    writeIoUring(this.#control, settings.ioUring);
    this.#state.write((writer) => writer.setSettings({ configured: this.#configured, changed: settings }));
  }

  /** What covers a workload: its policies, and their paths as the kernel shows them there. */
  covering(workload: Workload): Covering {
    const policies = this.#coverers(workload, this.#policies.values(), this.#settings);
    using roots = new Roots(this.#registry);
    const { spellings } = roots.resolve(workload, policies, '');
    return { policies, spellings: workload.hostMounts ? under(this.ownRoot, spellings) : spellings };
  }

  /** The same, remembered as long as nothing changes. */
  coveringNow(workload: Workload): Covering {
    const known = this.#covering.get(workload);
    const now = { generation: workload.generation, settings: this.#settings, rootPid: workload.rootPid };
    if (known?.generation === now.generation && known.settings === now.settings && known.rootPid === now.rootPid)
      return known;
    const covering = { ...now, ...this.covering(workload) };
    this.#covering.set(workload, covering);
    return covering;
  }

  /** Puts a prepared workload under its rules. Returns the diagnostics of what covers it. */
  cover(workload: Workload): Diagnostic[] {
    const problems = this.refresh([workload]);
    return [...problems, ...posturesOf(workload.record, this.#settings).diagnostics];
  }

  /** Resolves the links in the rules of some workloads again. Returns what cannot be had. */
  refresh(workloads: readonly Workload[]): Diagnostic[] {
    using roots = new Roots(this.#registry);
    const planned = workloads.map((workload) => this.#planTolerant(workload, roots));
    this.#install(planned.map(({ plan }) => plan));
    return planned.flatMap(({ problems }) => problems);
  }

  /** What is in force on the workloads. */
  get plans(): Iterable<Plan> {
    return this.#plans.values();
  }

  /** Workloads that are gone. */
  uncover(workloads: readonly Workload[]): void {
    for (const workload of workloads) {
      this.#table.clear(workload.slot);
      this.#plans.delete(workload.id);
      this.#registry.remove(workload);
    }
    for (const slot of this.#registry.removeUnknown()) this.#table.clear(slot);
    this.#collect(); // once for all: it waits for the kernel
    this.#watchCalls();
    if (workloads.length === 0 && this.#forgotten.length === 0) return;
    this.#state.write((writer) => {
      for (const { record } of workloads) writer.deleteWorkload(record.containerId);
      this.#forget(writer);
    }, 'boot');
  }

  #tryApply(
    readings: readonly PolicyReading[],
    failures: Map<PolicyReading, Diagnostic[]>,
    origin: PolicyOrigin,
  ): boolean {
    const next = new Map(this.#policies);
    for (const { policy, status, diagnostics, object } of readings)
      if (policy !== undefined)
        next.set(policyKey(policy), {
          origin,
          object,
          policy,
          status: status === 'Partial' ? 'Partial' : 'Applied',
          generation: this.#generation + 1,
          diagnostics,
        });
    try {
      this.#change(next, this.#settings);
      return true;
    } catch (error) {
      for (const reading of readings) failures.set(reading, loadFailures(reading.subject, error));
      return false;
    }
  }

  /** Of policies that are applied a diagnostic says so; who asks for anything else gets an error. */
  #changeOrStay(policies: Map<string, Held>, settings: Settings): void {
    try {
      this.#change(policies, settings);
    } catch (cause) {
      if (!isLoadFailure(cause)) throw cause;
      throw new AgentError('failed', `${cause.message}; ${stays}`, { cause });
    }
  }

  #change(policies: Map<string, Held>, settings: Settings): void {
    const before = this.#policies;
    const workloads = this.#workloads([...policies.values()], settings);
    const change = {
      added: [...policies.values()].filter((held) => !isAmong(before, held)),
      removed: new Set([...before.values()].filter((held) => !isAmong(policies, held)).map(({ policy }) => policy)),
    };
    using roots = new Roots(this.#registry);
    const plans = workloads.flatMap((workload) => {
      const known = this.#plans.get(workload.id);
      const covering =
        known === undefined || settings !== this.#settings
          ? this.#coverers(workload, policies.values(), settings)
          : this.#coverersNow(known, change);
      return covering === undefined ? [] : [this.#planner.plan(workload, covering, settings, roots)];
    });
    this.#install(plans, (writer) => {
      for (const held of change.added) writer.putPolicy(toSaved(held));
      for (const [key, { policy }] of before) if (!policies.has(key)) writer.deletePolicy(policy);
    });
    this.#policies = policies;
    this.#settings = settings;
    this.#connectHost(workloads);
  }

  #coverers(workload: Workload, policies: Iterable<Held>, settings: Settings): Policy[] {
    return [...policies].flatMap(({ policy }) => (appliesTo(policy, workload.record, settings) ? [policy] : []));
  }

  /** The policies that cover the workload after a change; undefined: those that did before. */
  #coverersNow(
    { workload, policies }: Plan,
    { added, removed }: { added: readonly Held[]; removed: ReadonlySet<Policy> },
  ): Policy[] | undefined {
    const more = this.#coverers(workload, added, this.#settings);
    const left = policies.filter((policy) => !removed.has(policy));
    return more.length === 0 && left.length === policies.length ? undefined : [...left, ...more];
  }

  /** All workloads, and the node where a host policy is among them. */
  #workloads(policies: readonly Held[], settings: Settings): Workload[] {
    if (!policies.some(({ policy }) => policy.kind === 'KubeArmorHostPolicy')) return this.#registry.all;
    return [...this.#registry.all, this.#registry.prepareHost(hostRecord(this.#hostName, settings.nodeLabels))];
  }

  /** The node is judged from its first host policy to its last. */
  #connectHost(planned: readonly Workload[]): void {
    const { host } = this.#registry;
    if (host === undefined) return;
    if (planned.includes(host)) {
      this.#registry.connectHost();
      return;
    }
    this.#table.clear(host.slot);
    this.#plans.delete(host.id);
    this.#registry.removeHost();
    this.#collect();
    this.#watchCalls();
  }

  #planTolerant(workload: Workload, roots: Roots): { plan: Plan; problems: Diagnostic[] } {
    const policies = this.#coverers(workload, this.#policies.values(), this.#settings);
    return this.#planner.planTolerant(workload, policies, this.#settings, roots);
  }

  /** `save`: what else goes to the disk with the rules. */
  #install(plans: readonly Plan[], save?: (writer: StateWriter) => void): void {
    const generation = this.#generation + 1;
    const changed = plans.filter((plan) => this.#plans.get(plan.workload.id)?.encoded.digest !== plan.encoded.digest);
    const added: SavedRuleSet[] = [];
    try {
      this.#watchCalls(changed);
      for (const { ruleSet, encoded } of changed) {
        const saved = this.#table.install(ruleSet, encoded, generation);
        if (saved !== undefined) added.push(saved);
      }
    } catch (error) {
      this.#collect();
      this.#watchCalls();
      throw error;
    }
    // Before the flip: a verdict that is given from then on can be named, whatever happens to this process.
    this.#state.write(
      (writer) => {
        for (const ruleSet of added) writer.putRuleSet(ruleSet);
        this.#forget(writer);
        writer.setGeneration(generation);
        save?.(writer);
      },
      save === undefined ? 'boot' : 'always',
    );
    this.#generation = generation;
    for (const { workload, encoded } of changed) {
      this.#table.flip(workload.slot, encoded, generation);
      workload.generation = generation;
    }
    for (const plan of plans) this.#plans.set(plan.workload.id, plan);
    this.#planner.keep(this.#plans.values());
    this.#collect();
    this.#watchCalls();
  }

  /** System calls that rules in force name are watched, and those of rules that are about to be. */
  #watchCalls(coming: readonly Plan[] = []): void {
    const ruleSets = new Set([...this.#plans.values(), ...coming].map(({ ruleSet }) => ruleSet));
    const known = [...ruleSets].flatMap(({ syscalls }) => syscalls);
    this.#calls.watch(new Set([...known, ...this.#table.unknownCalls]));
  }

  #collect(): void {
    this.#forgotten.push(...this.#table.collect());
  }

  #forget(writer: StateWriter): void {
    for (const ruleSet of this.#forgotten.splice(0)) writer.deleteRuleSet(ruleSet);
  }

  /** By policy: the plans that it is part of. */
  #covered(): Map<Policy, Plan[]> {
    const covered = new Map<Policy, Plan[]>();
    for (const plan of this.#plans.values())
      for (const policy of plan.policies) {
        const plans = covered.get(policy);
        if (plans === undefined) covered.set(policy, [plan]);
        else plans.push(plan);
      }
    return covered;
  }

  #resultOf(
    reading: PolicyReading,
    failed: Diagnostic[] | undefined,
    plans: ReadonlyMap<Policy, readonly Plan[]>,
  ): PolicyResult {
    const { subject, policy, status, diagnostics } = reading;
    if (policy !== undefined && failed === undefined) {
      const held = this.#policies.get(policyKey(policy));
      if (held !== undefined) return this.#result(held, plans);
    }
    const identity = { kind: subject.kind ?? '', namespace: subject.namespace ?? '', name: subject.policy ?? '' };
    const earlier = this.#policies.get(policyKey(identity));
    return {
      ...identity,
      status: status === 'Unsupported' ? 'Unsupported' : 'Invalid',
      observedGeneration: earlier?.generation ?? 0,
      workloads: (earlier && plans.get(earlier.policy)?.length) ?? 0,
      diagnostics: [...diagnostics, ...(failed ?? [])],
    };
  }

  #result(
    { policy, status, generation, diagnostics }: Held,
    plans: ReadonlyMap<Policy, readonly Plan[]>,
  ): PolicyResult {
    const { kind, namespace, name } = policy;
    const workloads = plans.get(policy)?.length ?? 0;
    const subject = subjectOf(policy);
    using roots = new Roots(this.#registry);
    const targets = targetDiagnostics(policy, plans.get(policy) ?? [], roots);
    const idle = workloads === 0 ? [diagnose(subject, 'NoWorkload', 'spec.selector', 'covers no workload now')] : [];
    return {
      kind,
      namespace,
      name,
      status,
      observedGeneration: generation,
      workloads,
      diagnostics: [
        ...diagnostics,
        ...gapsOf(policy, this.#backend),
        ...missingCalls(policy, this.#calls),
        ...this.#unseen(policy, plans.get(policy) ?? []),
        ...targets,
        ...idle,
      ],
    };
  }

  /** What workloads do that the backend does not see. */
  #unseen(policy: Policy, plans: readonly Plan[]): Diagnostic[] {
    const rule = policy.rules.find(
      ({ category }) => category === 'file' || category === 'network' || category === 'dns',
    );
    const users = plans.filter(({ workload }) => this.#registry.usesIoUring(workload)).map(({ workload }) => workload);
    if (rule === undefined || users.length === 0) return [];
    const names = users.map(({ record }) => `${record.namespace}/${record.pod}/${record.container}`);
    const message = `set up an io_uring, and this backend does not see what is done through one: ${names.slice(0, 5).join(', ')}`;
    const field = rule.category === 'file' ? 'spec.file' : 'spec.network';
    return [diagnose(subjectOf(policy), 'NotCovered', field, message, rule.position)];
  }
}

/** System calls that a policy names and the running kernel does not have. */
function missingCalls(policy: Policy, calls: Engine['calls']): Diagnostic[] {
  const subject = subjectOf(policy);
  return policy.rules.flatMap(({ object, where, position }) =>
    (object.kind === 'syscall' ? object.names : []).flatMap((syscall) => {
      const call = findSyscall(syscall);
      if (call === undefined || !call.exists || calls.exists(call)) return [];
      const message = `this kernel has no system call ${syscall}; it never matches`;
      return [diagnose(subject, 'SyscallNotHere', `${where}.syscall`, message, position)];
    }),
  );
}

/** The very same version of a policy. */
function isAmong(policies: ReadonlyMap<string, Held>, { policy }: Held): boolean {
  return policies.get(policyKey(policy))?.policy === policy;
}

function matches(policy: Identity, wanted: Partial<Identity>): boolean {
  return (
    (wanted.kind === undefined || wanted.kind === policy.kind) &&
    (wanted.namespace === undefined || wanted.namespace === policy.namespace) &&
    wanted.name === policy.name
  );
}

function toSaved({ policy, origin, generation, object, diagnostics }: Held): SavedPolicy {
  const { kind, namespace, name } = policy;
  const places = placesOf(policy, diagnostics);
  return { kind, namespace, name, origin, generation, object, ...(places && { places }) };
}

/** A setting that was changed while an agent ran stays changed, unless the configuration has changed it since. */
function restoreSettings(configured: Settings, saved: SavedSettings | undefined): Settings {
  if (saved === undefined) return configured;
  const kept = Object.entries(saved.changed).filter(([name]) => {
    const [before, now] = [saved.configured, configured].map((settings) => (settings as Record<string, unknown>)[name]);
    return isDeepStrictEqual(before, now);
  });
  return { ...configured, ...Object.fromEntries(kept) };
}

const stays = 'the rules in force before stay';

function loadFailures(subject: Subject, error: unknown): Diagnostic[] {
  if (!isLoadFailure(error)) throw error;
  if (error instanceof CompileError) return [...error.diagnostics];
  return [diagnose(subject, 'LoadFailed', 'spec', `${error.message}; ${stays}`)];
}

/** The rules are not to be had, or the kernel does not take them. */
function isLoadFailure(error: unknown): error is CompileError | KernelError | HashCollision {
  return error instanceof CompileError || error instanceof KernelError || error instanceof HashCollision;
}
