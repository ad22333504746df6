import type { Workload } from '../workload/registry.ts';
import { CompileError, compile } from './compile.ts';
import type { Diagnostic } from './diagnostic.ts';
import { type EncodedRuleSet, encode } from './encode.ts';
import { type HashKey, PathHasher } from './hash.ts';
import { modeOf, posturesOf } from './posture.ts';
import type { Roots } from './roots.ts';
import type { Policy } from './rule.ts';
import type { RuleSet } from './ruleset.ts';
import type { Settings } from './settings.ts';
import { under, type WorkloadSpellings } from './spelling.ts';

/** What is to be in force on a workload. */
export interface Plan {
  workload: Workload;
  /** The policies that cover it, but those that cannot be compiled for it. */
  policies: readonly Policy[];
  resolved: WorkloadSpellings;
  /** Equal for equal rule sets that come from the same policies. */
  key: string;
  ruleSet: RuleSet;
  encoded: EncodedRuleSet;
}

/** Paths whose hashes are kept from one rule set to the next: some hundred megabytes at most. */
const maxHashes = 500_000;

/**
 * Makes rule sets of policies. Workloads for which all is the same that a rule set is made of (policies, postures, links)
 * share one, and it is compiled once.
 */
export class Planner {
  readonly #hashKey: HashKey;
  readonly #ownRoot: string;
  #hasher: PathHasher;
  readonly #numbers = new WeakMap<Policy, number>();
  readonly #spellingKeys = new WeakMap<WorkloadSpellings, string>();
  #lastNumber = 0;
  #compiled = new Map<string, Pick<Plan, 'ruleSet' | 'encoded'>>();
  /** Workloads of one image have equal spellings: kept once. */
  readonly #resolved = new Map<string, WorkloadSpellings>();
  readonly #known = new WeakSet<WorkloadSpellings>();
  #enough = 64;

  /** `ownRoot`: where the root of local workloads lies in their mount namespace. */
  constructor(hashKey: HashKey, ownRoot: string) {
    this.#hashKey = hashKey;
    this.#ownRoot = ownRoot;
    this.#hasher = new PathHasher(hashKey);
  }

  /** Plans for the policies that cover the workload. Throws CompileError, HashCollision. */
  plan(workload: Workload, policies: readonly Policy[], settings: Settings, roots: Roots): Plan {
    const policyKey = this.#policyKey(policies);
    const resolved = this.#one(policyKey, roots.resolve(workload, policies, policyKey));
    const root = workload.hostMounts ? this.#ownRoot : '/';
    const { record } = workload;
    const { postures } = posturesOf(record, settings);
    const circumstances = [Object.values(postures), modeOf(record, settings), settings.fileBaseline, root];
    const key = [policyKey, circumstances.join(), this.#spellingKey(resolved)].join('\n');
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      if (this.#hasher.size > maxHashes) this.#hasher = new PathHasher(this.#hashKey);
      const ruleSet = compile(policies, record, settings, under(root, resolved.spellings), root);
      compiled = { ruleSet, encoded: encode(ruleSet, this.#hashKey, this.#hasher) };
      this.#compiled.set(key, compiled);
    }
    return { workload, policies, resolved, key, ...compiled };
  }

  /** The same for a workload that must not be left without rules: policies that cannot be compiled for it are left out. */
  planTolerant(
    workload: Workload,
    policies: readonly Policy[],
    settings: Settings,
    roots: Roots,
  ): { plan: Plan; problems: Diagnostic[] } {
    const problems: Diagnostic[] = [];
    for (let left = policies; ; ) {
      try {
        return { plan: this.plan(workload, left, settings, roots), problems };
      } catch (error) {
        if (!(error instanceof CompileError)) throw error;
        problems.push(...error.diagnostics);
        const bad = error.diagnostics[0];
        const rest = left.filter(
          (p) => !(p.name === bad?.policy && p.kind === bad.kind && p.namespace === (bad.namespace ?? '')),
        );
        if (rest.length === left.length) throw error;
        left = rest;
      }
    }
  }

  /** Forgets the rule sets that none of these plans has, now and then. */
  keep(plans: Iterable<Plan>): void {
    if (this.#compiled.size + this.#resolved.size <= this.#enough) return;
    const kept = new Map<string, Pick<Plan, 'ruleSet' | 'encoded'>>();
    const used = new Set<WorkloadSpellings>();
    for (const { key, ruleSet, encoded, resolved } of plans) {
      kept.set(key, { ruleSet, encoded });
      used.add(resolved);
    }
    for (const [key, resolved] of this.#resolved) if (!used.has(resolved)) this.#resolved.delete(key);
    this.#compiled = kept;
    this.#enough = 2 * (kept.size + used.size) + 64;
  }

  #policyKey(policies: readonly Policy[]): string {
    const numbers = policies.map((policy) => {
      const number = this.#numbers.get(policy) ?? ++this.#lastNumber;
      this.#numbers.set(policy, number);
      return number;
    });
    return numbers.sort((a, b) => a - b).join();
  }

  /** Of equal spellings of the same policies always the same object. */
  #one(policyKey: string, resolved: WorkloadSpellings): WorkloadSpellings {
    if (this.#known.has(resolved)) return resolved;
    const { links, absent, missing, targets } = resolved;
    const rest = JSON.stringify([links, [...absent], [...missing], [...targets]]);
    const key = [policyKey, this.#spellingKey(resolved), rest].join('\n');
    const known = this.#resolved.get(key) ?? resolved;
    this.#resolved.set(key, known);
    this.#known.add(known);
    return known;
  }

  /** Tells spellings apart: of the paths to which no link leads there is nothing to tell. */
  #spellingKey(resolved: WorkloadSpellings): string {
    let key = this.#spellingKeys.get(resolved);
    if (key === undefined) {
      const spelt = [...resolved.spellings].filter(([, spellings]) => spellings.length > 1);
      key = JSON.stringify(spelt);
      this.#spellingKeys.set(resolved, key);
    }
    return key;
  }
}
