/*
 * The decision of the policy language, sections 2 and 13 to 16, a second time: straight from policy objects as written,
 * one access at a time, every rule looked at. Slow and obvious; shares no code with the agent.
 */
import { slowMatch } from './glob/slow-match.ts';

export interface Access {
  category: 'process' | 'file' | 'syscalls';
  path: string;
  syscall?: string;
  /** Not a read. Never with a program. */
  change: boolean;
  owner: boolean;
  terminal: boolean;
  /** Of a program that is to start, after the first word; undefined: they cannot be read. */
  args?: readonly string[] | undefined;
  /** The program that acts; for a program that is to start: its parent's. */
  source: string;
}

/** The fields of a rule as written; of each category those it knows. */
interface WrittenRule {
  path?: string;
  execname?: string;
  pattern?: string;
  allowedArgs?: string[];
  fromSource?: { path?: string; dir?: string; recursive?: boolean }[];
  dir?: string;
  recursive?: boolean;
  readOnly?: boolean;
  ownerOnly?: boolean;
  pts?: boolean;
  syscall?: string[];
  severity?: number;
  action?: string;
}

type WrittenCategory = { severity?: number; action?: string } & {
  [list in 'matchPaths' | 'matchDirectories' | 'matchPatterns' | 'matchSyscalls']?: WrittenRule[];
};

export interface WrittenPolicy {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: {
    severity?: number;
    action?: string;
    process?: WrittenCategory;
    file?: WrittenCategory;
    syscalls?: WrittenCategory;
  };
}

export interface World {
  /** Policies that cover the workload, as objects. */
  policies: WrittenPolicy[];
  filePosture: 'block' | 'audit';
  baseline: boolean;
  audited: boolean;
  disabled: boolean;
  /** All spellings in which a written path is compared. */
  spellings: (path: string) => string[];
}

export interface Decision {
  verdict: 'pass' | 'alert' | 'deny';
  /** `name spec.file.matchPaths[0]` of the rule that is named, or DefaultPosture; undefined with a silent pass. */
  by?: string;
}

type Result = 'deny' | 'alert' | 'pass' | 'not allowed';
const strength: Result[] = ['not allowed', 'pass', 'alert', 'deny'];

interface Candidate {
  result: Result;
  /** The larger, the more specific; compared one after the other. */
  rank: readonly number[];
  severity: number;
  name: string;
  kind: string;
  namespace: string;
  position: number;
  where: string;
}

export function decide(world: World, access: Access): Decision {
  if (world.disabled) return { verdict: 'pass' };
  const candidates: Candidate[] = [];
  let allowList = false;
  for (const policy of world.policies) {
    const category = policy.spec[access.category] ?? {};
    let position = 0;
    const lists =
      access.category === 'syscalls'
        ? (['matchSyscalls', 'matchPaths'] as const)
        : (['matchPaths', 'matchDirectories', 'matchPatterns'] as const);
    for (const list of lists)
      for (const [index, rule] of (category[list] ?? []).entries()) {
        position++;
        const action =
          access.category === 'syscalls'
            ? 'audit'
            : (rule.action ?? category.action ?? policy.spec.action ?? 'Block').toLowerCase();
        if (action === 'allow') allowList = true;
        if (access.category === 'syscalls' && !rule.syscall?.includes(access.syscall ?? '')) continue;
        for (const rank of ranks(world, access, list, rule))
          candidates.push({
            rank,
            result: judge(action, rule, access),
            severity: rule.severity ?? category.severity ?? policy.spec.severity ?? 1,
            name: policy.metadata.name,
            kind: policy.kind,
            namespace: policy.metadata.namespace ?? '',
            position,
            where: `spec.${access.category}.${list}[${index}]`,
          });
      }
  }

  if (candidates.length === 0) {
    if (!allowList) return { verdict: 'pass' };
    if (access.category === 'file' && world.baseline && inBaseline(access)) return { verdict: 'pass' };
    return posture(world);
  }

  const best = candidates.filter((one) => candidates.every((other) => compareRanks(one.rank, other.rank) >= 0));
  const strongest = Math.max(...best.map(({ result }) => strength.indexOf(result)));
  const named = best.filter(({ result }) => strength.indexOf(result) === strongest);
  const severity = Math.max(...named.map((rule) => rule.severity));
  const [first] = named
    .filter((rule) => rule.severity === severity)
    .sort(
      (a, b) =>
        byText(a.name, b.name) || byText(a.kind, b.kind) || byText(a.namespace, b.namespace) || a.position - b.position,
    );
  const by = `${first?.name} ${first?.where}`;
  switch (strength[strongest]) {
    case 'deny':
      return { verdict: world.audited ? 'alert' : 'deny', by };
    case 'alert':
      return { verdict: 'alert', by };
    case 'pass':
      return { verdict: 'pass' };
    default:
      return posture(world);
  }
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  return a.map((value, i) => value - (b[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function posture(world: World): Decision {
  const denies = world.filePosture === 'block' && !world.audited;
  return { verdict: denies ? 'deny' : 'alert', by: 'DefaultPosture' };
}

/** Section 13: a rule with qualifiers that all hold passes; else the action says. */
function judge(action: string, rule: WrittenRule, access: Access): Result {
  const holds: boolean[] = [];
  if (rule.readOnly === true) holds.push(!access.change);
  if (rule.ownerOnly === true) holds.push(access.owner);
  if (rule.pts === false) holds.push(!access.terminal);
  if (rule.allowedArgs !== undefined) {
    const allowed = rule.allowedArgs;
    holds.push(access.args?.every((argument) => allowed.includes(argument)) ?? false);
  }
  if (holds.length > 0 && holds.every((held) => held)) return 'pass';
  if (action === 'block') return 'deny';
  if (action === 'audit') return 'alert';
  return holds.length > 0 ? 'not allowed' : 'pass';
}

/** In which ways source and object of the rule are the access's: by source first, then by object. */
function ranks(world: World, access: Access, list: string, rule: WrittenRule): number[][] {
  const objects = matches(world, access, list, rule);
  return sources(world, access, rule).flatMap((source) =>
    objects.map(({ kind, depth }) => [...source, kind, kind === 1 ? depth : 0]),
  );
}

/** Program, directory (the deeper the more), none. */
function sources(world: World, { source }: Access, { fromSource = [] }: WrittenRule): number[][] {
  if (fromSource.length === 0) return [[0, 0]];
  return fromSource.flatMap(({ path, dir = '', recursive }) => {
    if (path !== undefined) return world.spellings(path).flatMap((each) => (each === source ? [[2, 0]] : []));
    return world.spellings(dir === '/' ? '/' : dir.replace(/\/$/, '')).flatMap((each) => {
      const below = each === '/' ? '/' : `${each}/`;
      const isIn = source.startsWith(below) && (recursive || !source.slice(below.length).includes('/'));
      return isIn ? [[1, each.split('/').filter((name) => name !== '').length]] : [];
    });
  });
}

/**
 * In which ways the rule's object is the access's; a path that matches in several spellings matches several times. Kinds: 4 the
 * path, 3 the program's name, 2 a pattern, 1 a directory, 0 any object.
 */
function matches(world: World, access: Access, list: string, rule: WrittenRule): { kind: number; depth: number }[] {
  if (list === 'matchSyscalls') return [{ kind: 0, depth: 0 }];
  if (rule.execname !== undefined)
    return access.path.split('/').at(-1) === rule.execname ? [{ kind: 3, depth: 0 }] : [];
  const { pattern } = rule;
  if (pattern !== undefined) {
    const fixed = pattern.slice(0, pattern.lastIndexOf('/', pattern.search(/[*?[{]|$/)));
    return world
      .spellings(fixed || '/')
      .filter((each) => slowMatch((each === '/' ? '' : each) + pattern.slice(fixed.length), Buffer.from(access.path)))
      .map(() => ({ kind: 2, depth: 0 }));
  }
  const written = rule.path ?? rule.dir ?? '';
  const isDirectory =
    list === 'matchDirectories' ||
    (access.category === 'syscalls' && (rule.recursive === true || written.endsWith('/')));
  const spellings = world.spellings(written === '/' ? '/' : written.replace(/\/$/, ''));
  const found: { kind: number; depth: number }[] = [];
  for (const spelling of spellings) {
    const depth = spelling.split('/').filter((name) => name !== '').length;
    if (!isDirectory) {
      if (access.path === spelling) found.push({ kind: 4, depth });
    } else if (access.path === spelling) found.push({ kind: 1, depth });
    else {
      const below = spelling === '/' ? '/' : `${spelling}/`;
      if (!access.path.startsWith(below)) continue;
      const rest = access.path.slice(below.length);
      if (rule.recursive === true || (access.category !== 'syscalls' && !rest.includes('/')))
        found.push({ kind: 1, depth });
    }
  }
  return found;
}

const baselineGlobs =
  '/lib/** /lib32/** /lib64/** /libx32/** /usr/lib/** /usr/lib32/** /usr/lib64/** /usr/libx32/** /usr/local/lib/** ' +
  '/etc/ld.so.cache /etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d/** ' +
  '/usr/share/locale/** /etc/locale.alias /usr/share/zoneinfo/** /etc/localtime ' +
  '/dev/null /dev/zero /dev/full /dev/random /dev/urandom';

function inBaseline({ path, change }: Access): boolean {
  if (change) return ['/dev/null', '/dev/zero', '/dev/full'].includes(path);
  return baselineGlobs
    .split(' ')
    .some((glob) => (glob.endsWith('/**') ? path.startsWith(glob.slice(0, -2)) : path === glob));
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
