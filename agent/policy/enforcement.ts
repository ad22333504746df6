import { hostname } from 'node:os';
import type { Engine } from '../kernel/engine.ts';
import { KernelError } from '../kernel/error.ts';
import { hostRecord } from '../workload/host.ts';
import type { Workload, WorkloadRegistry } from '../workload/registry.ts';
import { CompileError, compile } from './compile.ts';
import { gapsOf } from './coverage.ts';
import { type Diagnostic, diagnose, type Subject } from './diagnostic.ts';
import { type EncodedRuleSet, encode, HashCollision } from './encode.ts';
import { openRoot } from './links.ts';
import { posturesOf } from './posture.ts';
import type { PolicyReading } from './read.ts';
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

  constructor(
    engine: Engine,
    table: RuleSetTable,
    registry: WorkloadRegistry,
    settings: Settings,
    hostName: string = hostname(),
  ) {
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
  apply(readings: readonly PolicyReading[]): PolicyResult[] {
    const accepted = readings.filter((reading) => reading.policy !== undefined);
    const failures = new Map<PolicyReading, Diagnostic[]>();
    if (!this.#tryApply(accepted, failures) && accepted.length > 1) {
      // One of them is to blame: one after the other, so that the others load.
      failures.clear();
      for (const reading of accepted) this.#tryApply([reading], failures);
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

  /** Changes settings and judges by them from the answer on. */
  changeSettings(settings: Settings): void {
    this.#change(this.#policies, settings);
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
    this.#table.collect(); // once for all: it waits for the kernel
  }

  #tryApply(readings: readonly PolicyReading[], failures: Map<PolicyReading, Diagnostic[]>): boolean {
    const next = new Map(this.#policies);
    for (const { policy, status, diagnostics } of readings)
      if (policy !== undefined)
        next.set(keyOf(policy), {
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
    const workloads = [...this.#registry.all];
    if (list.some((policy) => policy.kind === 'KubeArmorHostPolicy'))
      workloads.push(this.#registry.prepareHost(hostRecord(this.#hostName, settings.nodeLabels)));
    const plans = workloads.map((workload) => this.#plan(workload, list, settings));
    this.#install(plans);
    this.#policies = policies;
    this.#settings = settings;
    this.#connectHost(workloads);
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
    this.#table.collect();
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

  #install(plans: readonly Plan[]): void {
    const generation = this.#generation + 1;
    const changed = plans.filter(
      (plan) => this.#ruleSets.get(plan.workload.id)?.encoded.digest !== plan.encoded.digest,
    );
    try {
      for (const plan of changed) this.#table.install(plan.encoded, generation);
    } catch (error) {
      this.#table.collect();
      throw error;
    }
    this.#generation = generation;
    for (const plan of changed) {
      this.#table.flip(plan.workload.slot, plan.ruleSet, plan.encoded, generation);
      plan.workload.generation = generation;
      this.#ruleSets.set(plan.workload.id, plan);
    }
    this.#table.collect();
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

function loadFailures(subject: Subject, error: unknown): Diagnostic[] {
  if (error instanceof CompileError) return [...error.diagnostics];
  if (error instanceof KernelError || error instanceof HashCollision)
    return [diagnose(subject, 'LoadFailed', 'spec', `${error.message}; the rules in force before stay`)];
  throw error;
}
