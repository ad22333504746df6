import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Engine } from '../kernel/engine.ts';
import { KernelError } from '../kernel/error.ts';
import type { PolicyOrigin, SavedPolicy, SavedRuleSet, SavedSettings, SavedState } from '../state/saved.ts';
import { forgetful, type StateKeeper, type StateWriter } from '../state/state.ts';
import { hostRecord } from '../workload/host.ts';
import type { Workload, WorkloadRegistry } from '../workload/registry.ts';
import { CompileError, compile } from './compile.ts';
import { gapsOf } from './coverage.ts';
import { type Diagnostic, diagnose, type Subject } from './diagnostic.ts';
import { type EncodedRuleSet, encode, HashCollision } from './encode.ts';
import { openRoot } from './links.ts';
import { posturesOf } from './posture.ts';
import { type PolicyReading, parsePolicyObject } from './read.ts';
import type { Policy } from './rule.ts';
import type { RuleSet } from './ruleset.ts';
import { appliesTo } from './select.ts';
import type { Settings } from './settings.ts';
import { resolveSpellings, type Spellings, under } from './spelling.ts';
import type { RuleSetTable } from './sync.ts';

/** What became of one policy object. */
export interface PolicyResult {
  kind: string;
  namespace: string;
  name: string;
  status: 'Applied' | 'Partial' | 'Invalid' | 'Unsupported' | 'Pending';
  /** Generation in force when the object was taken over. */
  observedGeneration: number;
  /** Workloads covered. */
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

interface Plan {
  workload: Workload;
  ruleSet: RuleSet;
  encoded: EncodedRuleSet;
}

/**
 * Policies, settings and workloads, brought together: each change compiles the rule sets of all workloads, loads those
 * that are new beside the old ones, and only then flips. What cannot be compiled or loaded leaves everything as it was.
 */
export class Enforcement {
  readonly #engine: Engine;
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
  readonly #ruleSets = new Map<bigint, Plan>();
  readonly #state: StateKeeper;
  /** Rule sets whose names the disk need not know any more. */
  readonly #forgotten: ReturnType<RuleSetTable['collect']> = [];
  /** Settings as the configuration gives them. */
  readonly #configured: Settings;

  constructor(
    engine: Engine,
    table: RuleSetTable,
    registry: WorkloadRegistry,
    settings: Settings,
    { hostName = hostname(), state = forgetful }: { hostName?: string | undefined; state?: StateKeeper } = {},
  ) {
    this.#state = state;
    this.#configured = settings;
    this.#engine = engine;
    this.#table = table;
    this.#registry = registry;
    this.ownRoot = engine.ownRoot();
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
    const held = [...this.#policies].map(([key, { policy, status, generation, diagnostics }]) => {
      const result = this.#result(policy, status, generation, diagnostics);
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
    const results = readings.map((reading) => this.#resultOf(reading, failures.get(reading)));
    for (const result of results) {
      if (result.status !== 'Invalid' && result.status !== 'Unsupported') this.#refused.delete(keyOf(result));
      else if (result.name !== '') this.#refused.set(keyOf(result), result);
    }
    return results;
  }

  /** Removes policies; unknown ones are left out of the answer. */
  delete(identities: readonly Partial<Identity>[]): Identity[] {
    const isMeant = (policy: Identity): boolean => identities.some((wanted) => matches(policy, wanted));
    const removed = new Map<string, Identity>();
    const next = new Map(this.#policies);
    for (const [key, { policy }] of this.#policies)
      if (isMeant(policy)) {
        next.delete(key);
        removed.set(key, policy);
      }
    if (removed.size > 0) this.#change(next, this.#settings);
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
    const there = new Set(results.map((result) => keyOf(result)));
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
    for (const { object, origin, generation: since } of policies) {
      const { policy, status, diagnostics } = parsePolicyObject(object);
      if (policy === undefined) problems.push(...diagnostics);
      else
        this.#policies.set(keyOf(policy), {
          ...{ policy, origin, object, diagnostics, generation: since },
          status: status === 'Partial' ? 'Partial' : 'Applied',
        });
    }
    const workloads = this.#workloads(
      [...this.#policies.values()].map((held) => held.policy),
      this.#settings,
    );
    const plans = workloads.flatMap((workload) => {
      try {
        const { plan, problems: found } = this.#planTolerant(workload);
        problems.push(...found);
        if (!this.#table.isInForce(workload.slot, plan.encoded)) return [plan];
        this.#ruleSets.set(workload.id, plan);
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

  /** Changes settings and judges by them from the answer on. */
  changeSettings(settings: Settings): void {
    this.#change(this.#policies, settings);
    this.#state.write((writer) => writer.setSettings({ configured: this.#configured, changed: settings }));
  }

  /** What covers a workload: its policies, and their paths as the kernel shows them there. */
  covering(workload: Workload): { policies: Policy[]; spellings: Spellings } {
    const policies = [...this.#policies.values()]
      .map((held) => held.policy)
      .filter((policy) => appliesTo(policy, workload.record, this.#settings));
    return { policies, spellings: this.#spellings(workload, policies) };
  }

  /** Puts a prepared workload under its rules. Returns the diagnostics of what covers it. */
  cover(workload: Workload): Diagnostic[] {
    const { plan, problems } = this.#planTolerant(workload);
    this.#install([plan]);
    return [...problems, ...plan.ruleSet.diagnostics];
  }

  /** Workloads that are gone. */
  uncover(workloads: readonly Workload[]): void {
    for (const workload of workloads) {
      this.#table.clear(workload.slot);
      this.#ruleSets.delete(workload.id);
      this.#registry.remove(workload);
    }
    for (const slot of this.#registry.removeUnknown()) this.#table.clear(slot);
    this.#collect(); // once for all: it waits for the kernel
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
        next.set(keyOf(policy), {
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

  #change(policies: Map<string, Held>, settings: Settings): void {
    const list = [...policies.values()].map((held) => held.policy);
    const workloads = this.#workloads(list, settings);
    const plans = workloads.map((workload) => this.#plan(workload, list, settings));
    const before = this.#policies;
    this.#install(plans, (writer) => {
      for (const [key, held] of policies) if (before.get(key) !== held) writer.putPolicy(toSaved(held));
      for (const [key, { policy }] of before) if (!policies.has(key)) writer.deletePolicy(policy);
    });
    this.#policies = policies;
    this.#settings = settings;
    this.#connectHost(workloads);
  }

  /** All workloads, and the node where a host policy is among them. */
  #workloads(policies: readonly Policy[], settings: Settings): Workload[] {
    if (!policies.some((policy) => policy.kind === 'KubeArmorHostPolicy')) return this.#registry.all;
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
    this.#ruleSets.delete(host.id);
    this.#registry.removeHost();
    this.#collect();
  }

  #plan(workload: Workload, policies: readonly Policy[], settings: Settings): Plan {
    const covering = policies.filter((policy) => appliesTo(policy, workload.record, settings));
    const spellings = this.#spellings(workload, covering);
    const ruleSet = compile(covering, workload.record, settings, spellings, workload.hostMounts ? this.ownRoot : '/');
    return { workload, ruleSet, encoded: encode(ruleSet, this.#engine.hashKey) };
  }

  /** For a new workload: a policy that cannot be compiled for it is left out and reported; it is not started without the others. */
  #planTolerant(workload: Workload): { plan: Plan; problems: Diagnostic[] } {
    let policies = [...this.#policies.values()].map((held) => held.policy);
    const problems: Diagnostic[] = [];
    for (;;) {
      try {
        return { plan: this.#plan(workload, policies, this.#settings), problems };
      } catch (error) {
        if (!(error instanceof CompileError)) throw error;
        problems.push(...error.diagnostics);
        const bad = error.diagnostics[0];
        const rest = policies.filter(
          (p) => !(p.name === bad?.policy && p.kind === bad.kind && p.namespace === (bad.namespace ?? '')),
        );
        if (rest.length === policies.length) throw error;
        policies = rest;
      }
    }
  }

  /** Every path of the policies as the kernel will show it for this workload. */
  #spellings(workload: Workload, policies: readonly Policy[]): Spellings {
    const unresolved = (): Spellings => resolveSpellings(policies, () => ({ kind: 'other' })).spellings;
    if (workload.hostMounts) {
      using root = openRoot('/');
      return under(this.ownRoot, resolveSpellings(policies, root.read).spellings);
    }
    const pid = this.#registry.rootPid(workload);
    if (pid === undefined) return unresolved(); // nothing runs there; resolved when its first program starts
    try {
      using root = openRoot(`/proc/${pid}/root`);
      return resolveSpellings(policies, root.read).spellings;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return unresolved(); // it ended just now
      throw error;
    }
  }

  /** `save`: what else goes to the disk with the rules. */
  #install(plans: readonly Plan[], save?: (writer: StateWriter) => void): void {
    const generation = this.#generation + 1;
    const changed = plans.filter(
      (plan) => this.#ruleSets.get(plan.workload.id)?.encoded.digest !== plan.encoded.digest,
    );
    const added: SavedRuleSet[] = [];
    try {
      for (const { ruleSet, encoded } of changed) {
        const saved = this.#table.install(ruleSet, encoded, generation);
        if (saved !== undefined) added.push(saved);
      }
    } catch (error) {
      this.#collect();
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
    for (const plan of changed) {
      this.#table.flip(plan.workload.slot, plan.encoded, generation);
      plan.workload.generation = generation;
      this.#ruleSets.set(plan.workload.id, plan);
    }
    this.#collect();
  }

  #collect(): void {
    this.#forgotten.push(...this.#table.collect());
  }

  #forget(writer: StateWriter): void {
    for (const ruleSet of this.#forgotten.splice(0)) writer.deleteRuleSet(ruleSet);
  }

  #resultOf(reading: PolicyReading, failed: Diagnostic[] | undefined): PolicyResult {
    const { subject, policy, status, diagnostics } = reading;
    if (policy !== undefined && failed === undefined) {
      const held = this.#policies.get(keyOf(policy));
      if (held !== undefined) return this.#result(policy, held.status, held.generation, held.diagnostics);
    }
    return {
      kind: subject.kind ?? '',
      namespace: subject.namespace ?? '',
      name: subject.policy ?? '',
      status: status === 'Unsupported' ? 'Unsupported' : 'Invalid',
      observedGeneration: 0,
      workloads: 0,
      diagnostics: [...diagnostics, ...(failed ?? [])],
    };
  }

  #result(
    policy: Policy,
    status: Held['status'],
    generation: number,
    diagnostics: readonly Diagnostic[],
  ): PolicyResult {
    const { kind, namespace, name } = policy;
    const { host } = this.#registry;
    const known = host === undefined ? this.#registry.all : [...this.#registry.all, host];
    const workloads = known.filter((w) => appliesTo(policy, w.record, this.#settings)).length;
    const subject = { policy: name, kind, ...(namespace !== '' && { namespace }) };
    const idle = workloads === 0 ? [diagnose(subject, 'NoWorkload', 'spec.selector', 'covers no workload now')] : [];
    return {
      kind,
      namespace,
      name,
      status,
      observedGeneration: generation,
      workloads,
      diagnostics: [...diagnostics, ...gapsOf(policy), ...idle],
    };
  }
}

function keyOf({ kind, namespace, name }: Identity): string {
  return `${kind} ${namespace} ${name}`;
}

function matches(policy: Identity, wanted: Partial<Identity>): boolean {
  return (
    (wanted.kind === undefined || wanted.kind === policy.kind) &&
    (wanted.namespace === undefined || wanted.namespace === policy.namespace) &&
    wanted.name === policy.name
  );
}

function toSaved({ policy: { kind, namespace, name }, origin, generation, object }: Held): SavedPolicy {
  return { kind, namespace, name, origin, generation, object };
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

function loadFailures(subject: Subject, error: unknown): Diagnostic[] {
  if (error instanceof CompileError) return [...error.diagnostics];
  if (error instanceof KernelError || error instanceof HashCollision)
    return [diagnose(subject, 'LoadFailed', 'spec', `${error.message}; the rules in force before stay`)];
  throw error;
}
