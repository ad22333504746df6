import { ruleFlags } from '../../abi.gen.ts';
import type { WorkloadRecord } from '../../workload/workload.ts';
import { baseline } from '../baseline.ts';
import type { Position } from '../diagnostic.ts';
import { modeOf, posturesOf } from '../posture.ts';
import type { Category, Policy, Rule } from '../rule.ts';
import type { Settings } from '../settings.ts';
import type { Spellings } from '../spelling.ts';
import { compareBytes } from '../verdict.ts';
import { compareRanks, type Match, matchObject, matchSource, type Thing } from './match.ts';

/** One access, as the kernel sees it. */
export interface Access {
  category: Category;
  thing: Thing;
  /** Program that acts, of an exec the parent's; undefined: not known. */
  program: string | undefined;
  change: boolean;
  /** Of a change: of the content, not of the name or the attributes. */
  write: boolean;
  owner: boolean;
  terminal: boolean;
  args: readonly string[];
}

/** What a rule of the category has to do with an access. */
export interface RuleView {
  kind: string;
  namespace: string;
  policy: string;
  /** `spec.file.matchPaths[0]` */
  path: string;
  /** File, line and column, when the policy was read from a file. */
  position?: Position;
  action: string;
  severity: number;
  /** How the object matched, and by which spelling; how the source did. Absent: it did not. */
  object?: string;
  spelling?: string;
  source?: string;
  /** What the rule says of this access: deny, alert, pass, not allowed. Absent: it is not about it. */
  result?: Result;
  decides: boolean;
  /** Why another rule decides. */
  lost?: string;
}

export type Result = 'deny' | 'alert' | 'pass' | 'not allowed';

/** What becomes of an access, and by whom. */
export interface Decision {
  verdict: 'deny' | 'alert' | 'pass';
  /** One sentence. */
  reason: string;
  /** The rule that decides; absent: none, or the posture in the name of nobody. */
  rule?: Rule;
  /** It would be refused, but refusals pass there. */
  softened?: true;
}

export interface Explanation {
  verdict: 'deny' | 'alert' | 'pass';
  /** One sentence. */
  reason: string;
  /** The rule that decides first, then those that lost, then those that are not about the access. */
  rules: RuleView[];
}

const strength: readonly Result[] = ['not allowed', 'pass', 'alert', 'deny'];

interface Candidate {
  rule: Rule;
  object: Match;
  source: Match;
  result: Result;
}

/**
 * Says what becomes of an access and why: every rule of its category is looked at, one by one, after sections 13 to 16 of
 * the policy language. Slow, and written apart from what the kernel runs; a test compares the two.
 */
export function explain(
  policies: readonly Policy[],
  workload: WorkloadRecord,
  settings: Settings,
  spellings: Spellings,
  access: Access,
): Explanation {
  const { rules, candidates, strangers } = weigh(policies, spellings, access);
  const [best] = candidates;
  const views = candidates.map((candidate, i): RuleView => {
    const { rule, object, source, result } = candidate;
    const lost = i === 0 || best === undefined ? {} : { lost: lostText(best, candidate) };
    return { ...viewOf(rule), ...textsOf(object, source), result, decides: i === 0, ...lost };
  });
  const missed = strangers.map(({ rule, object, source }) => ({
    ...{ ...viewOf(rule), ...textsOf(object, source), decides: false, lost: missText(object, source) },
  }));
  const { verdict, reason } = decide(best, rules, workload, settings, access);
  return { verdict, reason, rules: [...views, ...missed] };
}

/** The same decision without the reasons why other rules have lost. */
export function decideAccess(
  policies: readonly Policy[],
  workload: WorkloadRecord,
  settings: Settings,
  spellings: Spellings,
  access: Access,
): Decision {
  const { rules, candidates } = weigh(policies, spellings, access);
  return decide(candidates[0], rules, workload, settings, access);
}

/** The rules of the category: those that are about the access, the one that decides first, and the rest. */
function weigh(policies: readonly Policy[], spellings: Spellings, access: Access) {
  const rules = policies.flatMap((policy) => policy.rules).filter((rule) => rule.category === access.category);
  const candidates: Candidate[] = [];
  const strangers: { rule: Rule; object: Match | undefined; source: Match | undefined }[] = [];
  for (const rule of rules) {
    const object = matchObject(rule, access.thing, spellings);
    const source = matchSource(rule, access.program, spellings);
    if (object && source) candidates.push({ rule, object, source, result: resultOf(rule, access) });
    else strangers.push({ rule, object, source });
  }
  candidates.sort(compareCandidates);
  return { rules, candidates, strangers };
}

function decide(
  best: Candidate | undefined,
  rules: readonly Rule[],
  workload: WorkloadRecord,
  settings: Settings,
  { category, thing, change, write }: Access,
): Decision {
  const mode = modeOf(workload, settings);
  if (mode === 'disabled') return { verdict: 'pass', reason: 'The pod is annotated as disabled: nothing is judged.' };
  const soften = (text: string): Decision =>
    mode === 'audited'
      ? {
          verdict: 'alert',
          reason: `${text} It would be refused, but refusals pass here and are reported (audit).`,
          softened: true,
        }
      : { verdict: 'deny', reason: text };
  if (best !== undefined && best.result !== 'not allowed') {
    const { policy, where, action } = best.rule;
    const named = `${policy.name} ${where} decides (${action})`;
    if (best.result === 'deny') return { ...soften(`${named}.`), rule: best.rule };
    return { verdict: best.result, reason: `${named}.`, rule: best.rule };
  }
  // Syscall rules only report.
  if (category === 'syscalls' || !rules.some((rule) => rule.action === 'Allow'))
    return { verdict: 'pass', reason: 'No rule is about it, and the category is no allow-list.' };
  if (
    best === undefined &&
    category === 'file' &&
    thing.kind === 'path' &&
    inBaseline(thing.path, { change, write }, settings)
  )
    return { verdict: 'pass', reason: 'No rule is about it, and the start-up baseline lets it pass.' };
  const posture = posturesOf(workload, settings).postures[category];
  const why =
    best === undefined ? 'No rule allows it' : `${best.rule.policy.name} ${best.rule.where} does not allow it`;
  if (posture === 'audit') return { verdict: 'alert', reason: `${why}, and the posture is audit (DefaultPosture).` };
  return soften(`${why}, and the posture is block (DefaultPosture).`);
}

/** Section 13. */
function resultOf({ action, qualifiers }: Rule, { change, owner, terminal, args }: Access): Result {
  const { readOnly, ownerOnly, noTerminal, allowedArgs } = qualifiers;
  const qualified = readOnly || ownerOnly || noTerminal || allowedArgs !== undefined;
  const inOrder =
    !(readOnly && change) &&
    !(ownerOnly && !owner) &&
    !(noTerminal && terminal) &&
    !(allowedArgs && args.some((argument) => !allowedArgs.includes(argument)));
  if (qualified && inOrder) return 'pass';
  if (action === 'Block') return 'deny';
  if (action === 'Audit') return 'alert';
  return qualified ? 'not allowed' : 'pass';
}

/** Section 14: the one that decides comes first. */
function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    compareRanks(b.source.rank, a.source.rank) ||
    compareRanks(b.object.rank, a.object.rank) ||
    strength.indexOf(b.result) - strength.indexOf(a.result) ||
    b.rule.severity - a.rule.severity ||
    compareBytes(a.rule.policy.name, b.rule.policy.name)
  );
}

function lostText(best: Candidate, { object, source, result, rule }: Candidate): string {
  if (compareRanks(best.source.rank, source.rank) !== 0)
    return `its source is less specific (${rankText(source)}, against ${rankText(best.source)})`;
  if (compareRanks(best.object.rank, object.rank) !== 0)
    return `its object is less specific (${rankText(object)}, against ${rankText(best.object)})`;
  if (best.result !== result) return `equally specific, but ${best.result} is stronger than ${result}`;
  if (best.rule.severity !== rule.severity) return `says the same with a lower severity (${rule.severity})`;
  return 'says the same, and comes later';
}

function rankText({ rank, spelling }: Match): string {
  return spelling === undefined ? rank.text : `${rank.text} ${spelling}`;
}

function missText(object: Match | undefined, source: Match | undefined): string {
  if (object === undefined) return 'it is about something else';
  return source === undefined ? 'it is about other sources' : '';
}

function textsOf(object: Match | undefined, source: Match | undefined) {
  return {
    ...(object && { object: object.rank.text }),
    ...(object?.spelling !== undefined && { spelling: object.spelling }),
    ...(source && { source: rankText(source) }),
  };
}

function viewOf({ policy, where, position, action, severity }: Rule) {
  const { kind, namespace, name } = policy;
  return { kind, namespace, policy: name, path: where, ...(position && { position }), action, severity };
}

function inBaseline(path: string, { change, write }: Pick<Access, 'change' | 'write'>, settings: Settings): boolean {
  if (settings.fileBaseline === 'off') return false;
  const own = baseline.get(path) ?? 0;
  if (own & ruleFlags.RULE_BASELINE_EXACT && (!change || (write && own & ruleFlags.RULE_BASELINE_WRITE))) return true;
  if (change) return false;
  return [...baseline].some(([at, flags]) => flags & ruleFlags.RULE_BASELINE_BELOW && path.startsWith(`${at}/`));
}
