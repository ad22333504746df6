import { globDirectory, respellGlob } from '../glob/directory.ts';
import { groupGlobs } from '../glob/group.ts';
import { matchTail } from '../glob/match.ts';
import { depthOf } from '../path.ts';
import { pathBytes } from '../pathname.ts';
import type { Rule, RuleObject, RuleSource } from '../rule.ts';
import { below, type Spellings } from '../spelling.ts';

/** How specific a match is: of two that differ the larger decides, the kind first. */
export interface Rank {
  /** In words: `exact path`, `directory`, … */
  text: string;
  kind: number;
  depth: number;
}

export interface Match {
  rank: Rank;
  /** The spelling that matched, of an object that has some. */
  spelling?: string;
}

/** What an access is about, as rules compare it. */
export type Thing =
  | { kind: 'path'; path: string; isProgram: boolean }
  | { kind: 'socket'; names: readonly string[] }
  | { kind: 'domain'; domain: string }
  | { kind: 'capability'; name: string }
  | { kind: 'call'; name: string; path: string | undefined };

const protocolLevels: Readonly<Record<string, number>> = {
  ...{ all: 0, raw: 1, stream: 1, dgram: 1, rdm: 1, seqpacket: 1, dccp: 1 },
  ...{ tcp: 2, udp: 2, icmp: 2, icmpv6: 2, sctp: 2, packet: 2 },
};
const levelTexts = ['all protocols', 'type of socket', 'protocol'] as const;

/** The most specific way in which a rule's object is the thing; undefined: it is not. Policy language, 6.4 and 14. */
export function matchObject({ object }: Rule, thing: Thing, spellings: Spellings): Match | undefined {
  switch (object.kind) {
    case 'path':
    case 'dir':
    case 'glob':
    case 'execname':
      return thing.kind === 'path' ? matchPath(object, thing, spellings) : undefined;
    case 'protocol': {
      if (thing.kind !== 'socket' || !thing.names.includes(object.protocol)) return undefined;
      const kind = protocolLevels[object.protocol] ?? 0;
      return { rank: { text: levelTexts[kind] ?? '', kind, depth: 0 } };
    }
    case 'domain': {
      if (thing.kind !== 'domain' || !`.${thing.domain}`.endsWith(`.${object.domain}`)) return undefined;
      return { rank: { text: 'domain', kind: 0, depth: object.domain.split('.').length } };
    }
    case 'capability':
      if (thing.kind !== 'capability' || thing.name !== object.capability) return undefined;
      return { rank: { text: 'capability', kind: 0, depth: 0 } };
    case 'syscall': {
      if (thing.kind !== 'call' || !object.names.includes(thing.name)) return undefined;
      const { target } = object;
      if (target === undefined) return { rank: { text: 'no path', kind: 0, depth: 0 } };
      return thing.path === undefined ? undefined : matchTarget(target, thing.path, spellings);
    }
  }
}

/** The most specific way in which a program is one of a rule's sources; undefined: it is none. */
export function matchSource(
  { fromSource }: Rule,
  program: string | undefined,
  spellings: Spellings,
): Match | undefined {
  if (fromSource.length === 0) return { rank: { text: 'any source', kind: 0, depth: 0 } };
  if (program === undefined) return undefined;
  return strongest(fromSource.flatMap((source) => matchSpellings(source, program, spellings, false)));
}

export function compareRanks(a: Rank, b: Rank): number {
  return a.kind - b.kind || a.depth - b.depth;
}

function matchPath(
  object: Extract<RuleObject, { kind: 'path' | 'dir' | 'glob' | 'execname' }>,
  { path, isProgram }: Extract<Thing, { kind: 'path' }>,
  spellings: Spellings,
): Match | undefined {
  if (object.kind === 'execname') {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return isProgram && name === object.name ? { rank: { text: 'execname', kind: 3, depth: 0 } } : undefined;
  }
  if (object.kind === 'glob') {
    const directory = globDirectory(object.pattern);
    const written = (spellings.get(directory) ?? [directory]).map((each) => respellGlob(object.pattern, each));
    const spelling = [object.pattern, ...written].find((pattern) => matchesGlob(pattern, path));
    return spelling === undefined ? undefined : { rank: { text: 'glob', kind: 2, depth: 0 }, spelling };
  }
  return strongest(matchSpellings(object, path, spellings, true));
}

function matchTarget(
  target: NonNullable<Extract<RuleObject, { kind: 'syscall' }>['target']>,
  path: string,
  spellings: Spellings,
): Match | undefined {
  if (target.kind === 'dir' && !target.recursive) {
    const spelling = (spellings.get(target.path) ?? [target.path]).find((each) => each === path);
    return spelling === undefined
      ? undefined
      : { rank: { text: 'directory', kind: 1, depth: depthOf(path) }, spelling };
  }
  return strongest(matchSpellings(target, path, spellings, true));
}

/** Every spelling of a path or directory that is, or holds, `path`. `itself`: a directory counts as one of its own objects. */
function matchSpellings(object: RuleSource, path: string, spellings: Spellings, itself: boolean): Match[] {
  return (spellings.get(object.path) ?? [object.path]).flatMap((spelling): Match[] => {
    if (object.kind === 'path')
      return spelling === path ? [{ rank: { text: 'exact path', kind: 4, depth: 0 }, spelling }] : [];
    const inside = path !== spelling && path.startsWith(below(spelling, '/') === '/' ? '/' : `${spelling}/`);
    const near = inside && depthOf(path) === depthOf(spelling) + 1;
    const matches = (itself && path === spelling) || near || (inside && object.recursive);
    return matches ? [{ rank: { text: 'directory', kind: 1, depth: depthOf(spelling) }, spelling }] : [];
  });
}

function strongest(matches: readonly Match[]): Match | undefined {
  return matches.reduce<Match | undefined>(
    (best, match) => (best === undefined || compareRanks(match.rank, best.rank) > 0 ? match : best),
    undefined,
  );
}

/** Patterns as they were last asked for; the kernel side's late paths ask again and again. */
const compiled = new Map<string, ReturnType<typeof groupGlobs>>();
const maxCompiled = 1024;

function compileGlob(pattern: string): ReturnType<typeof groupGlobs> {
  let groups = compiled.get(pattern);
  if (groups === undefined) {
    groups = groupGlobs([{ pattern, id: 0 }]);
    if (compiled.size >= maxCompiled) compiled.clear();
    compiled.set(pattern, groups);
  }
  return groups;
}

function matchesGlob(pattern: string, path: string): boolean {
  return compileGlob(pattern).some(({ directory, automaton }) => {
    const prefix = directory === '/' ? '/' : `${directory}/`;
    return path.startsWith(prefix) && matchTail(automaton.bytes, pathBytes(path.slice(prefix.length))).length > 0;
  });
}
