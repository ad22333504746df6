/*
 * The decision of the policy language, section 16, a second time: from policies as written, one access at a time, every
 * rule looked at. Written from the page alone. Slow and obvious; shares no code with the agent.
 */
import { globMatches } from './glob.ts';
import { namesOf } from './tree.ts';
import { bytesOf, type Category, lists, type WrittenPolicy, type WrittenRule, type WrittenSource } from './written.ts';

export type Posture = 'block' | 'audit';

/** A container, or the host, as policies see it. */
export interface Workload {
  namespace: string;
  labels: Record<string, string>;
  container: string;
  postures: { file: Posture; network: Posture; capabilities: Posture };
  baseline: boolean;
  mode: 'enabled' | 'audited' | 'disabled';
  /** All spellings in which a path of a rule is compared, the one as written first (6.2). */
  spellings: (path: string) => readonly string[];
}

export interface Socket {
  family: number;
  type: number;
  protocol: number;
}

/** One attempt that a hook sees. Paths are canonical byte strings. */
export interface Access {
  category: Category;
  /** Undefined: it has none (a socket), or it could not be built. A program without a file: `memfd:NAME`. */
  path?: string | undefined;
  /** Not a read. Of files alone. */
  change?: boolean;
  /** Of a change: of the content, not of the name or the attributes. */
  write?: boolean;
  /** The caller owns the object. */
  owner?: boolean;
  /** The caller has a controlling terminal. */
  terminal: boolean;
  /** Executable of the acting task; of the parent for an exec. Undefined: unknown. */
  source: string | undefined;
  /** Of an exec: the arguments after the first word; undefined: they cannot be read. */
  args?: readonly string[] | undefined;
  /** The kernel opens this file for exec. */
  execOpen?: boolean;
  /** The task came from outside and has not executed a program yet. */
  entry?: boolean;
  /** Presets that cover the access. */
  presets?: readonly string[];
  socket?: Socket;
  domain?: string;
  capability?: string;
  syscall?: string;
  /** Of a call with two paths: the other. */
  secondPath?: string;
}

export interface Decision {
  verdict: 'pass' | 'alert' | 'deny';
  /** PolicyName of the alert. */
  policy?: string;
  /** Action of the alert. */
  action?: 'Block' | 'Audit' | 'Audit (Block)' | 'Audit (Allow)';
  /** Which rule: `spec.file.matchPaths[0]`. */
  rule?: string;
}

/** From strong to weak. */
const results = ['deny', 'alert', 'pass', 'not allowed'] as const;
type Result = (typeof results)[number];

/** How specific a match is: compared one after the other, the larger is the more specific. */
type Specificity = [sourceRank: number, sourceDepth: number, objectRank: number, objectDepth: number];

interface Candidate {
  specificity: Specificity;
  result: Result;
  severity: number;
  policy: WrittenPolicy;
  position: number;
  where: string;
}

export function decide(workload: Workload, policies: readonly WrittenPolicy[], access: Access): Decision {
  const { category } = access;
  if (workload.mode === 'disabled') return { verdict: 'pass' };
  if (access.entry && category !== 'process' && !access.execOpen) return { verdict: 'pass' };
  if (access.socket && isOutside(access.socket)) return { verdict: 'pass' };
  const inForce = policies.filter((policy) => covers(policy, workload));

  const preset = judgePresets(inForce, access);
  if (preset) return refused(workload, preset, 'Audit (Block)');

  const candidates = inForce.flatMap((policy) => matchesOf(policy, workload, access));
  const allowList = inForce.some((policy) => rulesOf(policy, category).some(({ action }) => action === 'allow'));
  if (candidates.length === 0) {
    if (!allowList || access.execOpen) return { verdict: 'pass' };
    if (category === 'file' && workload.baseline && inBaseline(access)) return { verdict: 'pass' };
    return judgePosture(workload, category);
  }
  const best = candidates.filter((one) => candidates.every((other) => compare(one, other) >= 0));
  const strongest = results.find((result) => best.some((one) => one.result === result)) as Result;
  const named = best.filter(({ result }) => result === strongest).sort(byName)[0] as Candidate;
  const by = { policy: named.policy.metadata.name, rule: named.where };
  if (access.execOpen) return strongest === 'deny' ? refused(workload, by, 'Audit (Block)') : { verdict: 'pass' };
  switch (strongest) {
    case 'deny':
      return refused(workload, by, 'Audit (Block)');
    case 'alert':
      return { verdict: 'alert', action: 'Audit', ...by };
    case 'pass':
      return { verdict: 'pass' };
    case 'not allowed':
      return judgePosture(workload, category);
  }
}

/** A refusal, or what becomes of it in a workload that is only audited (18). */
function refused(
  workload: Workload,
  by: { policy: string; rule?: string },
  instead: 'Audit (Block)' | 'Audit (Allow)',
): Decision {
  if (workload.mode === 'audited') return { verdict: 'alert', action: instead, ...by };
  return { verdict: 'deny', action: 'Block', ...by };
}

/** Section 15: process follows file, dns follows network. */
function judgePosture(workload: Workload, category: Category): Decision {
  const { file, network, capabilities } = workload.postures;
  const postures = { process: file, file, network, dns: network, capabilities, syscalls: 'audit' } as const;
  if (postures[category] === 'block') return refused(workload, { policy: 'DefaultPosture' }, 'Audit (Allow)');
  return { verdict: 'alert', action: 'Audit', policy: 'DefaultPosture' };
}

/** Section 12: the policy whose preset refuses the access. */
function judgePresets(policies: readonly WrittenPolicy[], { presets = [] }: Access): { policy: string } | undefined {
  const blocking = policies.filter(({ spec }) =>
    spec.presets?.some(({ name, action }) => presets.includes(name) && (action ?? 'Block').toLowerCase() === 'block'),
  );
  const names = blocking.map(({ metadata }) => metadata.name).sort(inByteOrder);
  return names[0] === undefined ? undefined : { policy: names[0] };
}

/** A rule with what it inherits (section 2), its place, and its object when the entry lists several. */
interface Rule extends WrittenRule {
  list: string;
  action: string;
  severity: number;
  where: string;
  position: number;
}

function rulesOf({ spec }: WrittenPolicy, category: Category): Rule[] {
  const levels = category === 'dns' ? spec.network : spec[category];
  if (!levels) return [];
  const rules: Rule[] = [];
  for (const list of lists[category])
    for (const [index, written] of (levels[list] ?? []).entries())
      for (const one of separated(written)) {
        const action = one.action ?? levels.action ?? spec.action ?? 'Block';
        rules.push({
          ...one,
          list,
          action: category === 'syscalls' ? 'audit' : action.toLowerCase(),
          severity: one.severity ?? levels.severity ?? spec.severity ?? 1,
          where: `spec.${category === 'dns' ? 'network' : category}.${list}[${index}]`,
          position: rules.length,
        });
      }
  return rules;
}

/** Section 3: several protocols, capabilities or domains in one string are a rule each. */
function separated(rule: WrittenRule): WrittenRule[] {
  for (const field of ['protocol', 'capability', 'domain'] as const) {
    const value = rule[field];
    if (value?.includes(',')) return value.split(',').map((one) => ({ ...rule, [field]: one.trim() }));
  }
  return [rule];
}

/** All ways in which rules of the policy match the access. */
function matchesOf(policy: WrittenPolicy, workload: Workload, access: Access): Candidate[] {
  const candidates: Candidate[] = [];
  for (const rule of rulesOf(policy, access.category))
    for (const source of sourceMatches(rule, workload, access))
      for (const object of objectMatches(rule, workload, access))
        candidates.push({
          specificity: [...source, ...object],
          result: judge(rule, access),
          severity: rule.severity,
          policy,
          position: rule.position,
          where: rule.where,
        });
  return candidates;
}

/** Section 14, "source first": path, directory, none. */
function sourceMatches(rule: Rule, workload: Workload, { source }: Access): [rank: number, depth: number][] {
  if (rule.fromSource === undefined || rule.fromSource.length === 0) return [[0, 0]];
  if (source === undefined) return [];
  return rule.fromSource.flatMap((written) => sourceMatch(written, workload, source));
}

function sourceMatch(written: WrittenSource, workload: Workload, source: string): [rank: number, depth: number][] {
  if (written.path !== undefined)
    return spell(workload, written.path)
      .filter((path) => path === source)
      .map(() => [2, 0]);
  return spell(workload, written.dir ?? '')
    .filter((directory) => directory !== source && isIn(directory, source, written.recursive === true)) // no program is a directory
    .map((directory) => [1, namesOf(directory).length]);
}

/** Section 14, "then by object": one row of the table per category. */
function objectMatches(rule: Rule, workload: Workload, access: Access): [rank: number, depth: number][] {
  switch (access.category) {
    case 'process':
    case 'file':
      return access.path === undefined ? [] : pathMatches(rule, workload, access.path);
    case 'network':
      return access.socket && rule.protocol !== undefined ? protocolMatches(rule.protocol, access.socket) : [];
    case 'dns':
      return rule.domain === undefined ? [] : domainMatches(rule.domain, access.domain ?? '', workload.namespace);
    case 'capabilities':
      return capabilityOf(rule.capability ?? '') === access.capability ? [[0, 0]] : [];
    case 'syscalls':
      return syscallMatches(rule, workload, access);
  }
}

function pathMatches(rule: Rule, workload: Workload, path: string): [rank: number, depth: number][] {
  const seen = [path];
  // 6.1: a terminal matches rules written as /dev/pts/N and as /pts/N
  if (/^\/dev\/pts\/[0-9]+$/.test(path)) seen.push(path.slice('/dev'.length));
  const found: [number, number][] = [];
  for (const each of seen) {
    if (rule.path !== undefined)
      for (const spelling of spell(workload, rule.path)) if (spelling === each) found.push([4, 0]);
    if (rule.execname !== undefined && namesOf(each).at(-1) === bytesOf(rule.execname)) found.push([3, 0]);
    if (rule.pattern !== undefined && patterns(workload, rule.pattern).some((one) => globMatches(one, each)))
      found.push([2, 0]);
    if (rule.dir !== undefined)
      for (const spelling of spell(workload, rule.dir))
        if (isIn(spelling, each, rule.recursive === true)) found.push([1, namesOf(spelling).length]);
  }
  return found;
}

/** 6.4: the directory itself, what lies one level below, with `recursive` everything below. */
function isIn(directory: string, path: string, recursive: boolean): boolean {
  if (path === directory) return true;
  const start = directory === '/' ? '/' : `${directory}/`;
  return path.startsWith(start) && (recursive || !path.slice(start.length).includes('/'));
}

/** All spellings of a path of a rule; repeated slashes count once, the one at the end not at all. */
function spell(workload: Workload, written: string): readonly string[] {
  return workload.spellings(bytesOf(`/${written.split('/').filter(Boolean).join('/')}`));
}

/** A pattern in its spellings: the directories before the first glob character may lead through links. */
function patterns(workload: Workload, written: string): string[] {
  const pattern = bytesOf(written.replace(/\/\/+/g, '/'));
  let slash = 0;
  for (let at = 0; at < pattern.length && !'*?[{'.includes(pattern[at] as string); at++) {
    if (pattern[at] === '/') slash = at;
    if (pattern[at] === '\\') at++;
  }
  const directory = pattern.slice(0, slash).replace(/\\(.)/gs, '$1');
  return workload
    .spellings(directory || '/')
    .map((spelling) => (spelling === '/' ? '' : escaped(spelling)) + pattern.slice(slash));
}

/** A directory that a link leads to may have glob characters in its name. */
function escaped(path: string): string {
  return path.replace(/[*?[\]{},\\]/g, '\\$&');
}

/** Section 9.1: no rule matches sockets of AF_UNIX and AF_NETLINK, and no posture refuses them. */
function isOutside({ family }: Socket): boolean {
  return family === 1 || family === 16;
}

/** Section 9.1. */
function protocolMatches(name: string, { family, type, protocol }: Socket): [rank: number, depth: number][] {
  const [inet, inet6, packet] = [2, 10, 17];
  const types: Record<string, number> = { stream: 1, dgram: 2, raw: 3, rdm: 4, seqpacket: 5, dccp: 6 };
  const internet = family === inet || family === inet6;
  const lower = name.toLowerCase();
  const onProtocol: [number, number] = [2, 0];
  const onType: [number, number] = [1, 0];
  const onAll: [number, number] = [0, 0];
  switch (lower) {
    case 'tcp':
      return internet && type === types.stream && [0, 6, 262].includes(protocol) ? [onProtocol] : [];
    case 'udp':
      return internet && type === types.dgram && [0, 17, 136].includes(protocol) ? [onProtocol] : [];
    case 'icmp':
      return family === inet && protocol === 1 ? [onProtocol] : [];
    case 'icmpv6':
      return family === inet6 && protocol === 58 ? [onProtocol] : [];
    case 'sctp':
      return internet && protocol === 132 ? [onProtocol] : [];
    case 'packet':
      return family === packet ? [onProtocol] : [];
    case 'all':
      return [onAll];
    default:
      return types[lower] === type ? [onType] : [];
  }
}

/** Section 9.2: the name and each of its parents, with and without a cluster suffix. */
function domainMatches(rule: string, asked: string, namespace: string): [rank: number, depth: number][] {
  const plain = (name: string) => name.toLowerCase().replace(/\.$/, '');
  const wanted = plain(rule);
  const names = [plain(asked)];
  for (const suffix of ['.cluster.local', '.svc.cluster.local', `.${namespace}.svc.cluster.local`])
    if (plain(asked).endsWith(suffix)) names.push(plain(asked).slice(0, -suffix.length));
  const matched = names.some((name) => name === wanted || name.endsWith(`.${wanted}`));
  return matched ? [[0, wanted.split('.').length]] : [];
}

function capabilityOf(name: string): string {
  return name.toLowerCase().replace(/^cap_/, '');
}

/** Section 11. */
function syscallMatches(rule: Rule, workload: Workload, access: Access): [rank: number, depth: number][] {
  if (!rule.syscall?.includes(access.syscall ?? '')) return [];
  if (rule.list === 'matchSyscalls') return [[0, 0]];
  const written = rule.path ?? '';
  const paths = [access.path, access.secondPath].filter((path) => path !== undefined);
  const found: [number, number][] = [];
  for (const spelling of spell(workload, written))
    for (const path of paths) {
      if (rule.recursive ? isIn(spelling, path, true) : path === spelling)
        found.push(rule.recursive || written.endsWith('/') ? [1, namesOf(spelling).length] : [2, 0]);
    }
  return found;
}

/** Section 13. */
function judge(rule: Rule, access: Access): Result {
  const held: boolean[] = [];
  const { category } = access;
  if (rule.readOnly && category === 'file') held.push(!access.change);
  if (rule.ownerOnly && (category === 'file' || category === 'process')) held.push(access.owner === true);
  if (rule.pts === false && ['process', 'file', 'network'].includes(category)) held.push(!access.terminal);
  if (rule.allowedArgs && category === 'process' && rule.list === 'matchPaths') {
    const allowed = rule.allowedArgs.map(bytesOf);
    held.push(access.args?.every((argument) => allowed.includes(argument)) ?? false);
  }
  const inOrder = held.length > 0 && held.every((each) => each);
  if (inOrder) return 'pass';
  if (rule.action === 'block') return 'deny';
  if (rule.action === 'audit') return 'alert';
  return held.length > 0 ? 'not allowed' : 'pass';
}

function compare(a: Candidate, b: Candidate): number {
  for (const [index, value] of a.specificity.entries()) {
    const other = b.specificity[index] as number;
    if (value !== other) return value - other;
  }
  return 0;
}

/** 14.3: highest severity, policy name, position. Policies of one name differ in kind and namespace. */
function byName(a: Candidate, b: Candidate): number {
  return (
    b.severity - a.severity ||
    inByteOrder(a.policy.metadata.name, b.policy.metadata.name) ||
    inByteOrder(a.policy.kind, b.policy.kind) ||
    inByteOrder(a.policy.metadata.namespace ?? '', b.policy.metadata.namespace ?? '') ||
    a.position - b.position
  );
}

function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const systemFolders = [
  ...['/lib', '/lib32', '/lib64', '/libx32', '/usr/lib', '/usr/lib32', '/usr/lib64', '/usr/libx32', '/usr/local/lib'],
  ...['/etc/ld.so.conf.d', '/usr/share/locale', '/usr/share/zoneinfo'],
];
const writable = ['/dev/null', '/dev/zero', '/dev/full'];
const readable = [
  ...['/etc/ld.so.cache', '/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/locale.alias', '/etc/localtime'],
  ...['/dev/random', '/dev/urandom'],
];

/** Section 15, the start-up baseline. */
function inBaseline({ path, change, write }: Access): boolean {
  if (path === undefined) return false;
  if (change) return write === true && writable.includes(path);
  return (
    writable.includes(path) || readable.includes(path) || systemFolders.some((folder) => path.startsWith(`${folder}/`))
  );
}

/** Section 4: does the policy cover the workload? */
export function covers({ kind, metadata, spec }: WrittenPolicy, workload: Workload): boolean {
  if (kind === 'KubeArmorPolicy') {
    if (metadata.namespace !== workload.namespace) return false;
  } else if (kind !== 'KubeArmorClusterPolicy') return false;
  const { matchLabels = {}, matchExpressions = [] } = spec.selector ?? {};
  for (const [key, value] of Object.entries(matchLabels)) {
    if (key === 'kubearmor.io/container.name') {
      const names = value
        .slice(1, -1)
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '');
      if (names.length > 0 && !names.includes(workload.container)) return false;
    } else if (workload.labels[key] !== value) return false;
  }
  return matchExpressions.every(({ key, operator, values }) => {
    const own =
      key === 'namespace' ? [workload.namespace] : Object.entries(workload.labels).map((pair) => pair.join('='));
    const some = values.some((value) => own.includes(value));
    return operator === 'In' ? some : !some;
  });
}
