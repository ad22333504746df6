import { globDirectory } from './glob/directory.ts';
import { type FollowedLink, type ReadEntry, resolvePath } from './links.ts';
import type { Policy, Rule, RuleObject } from './rule.ts';

/** For each rule path all spellings in which it is compared; see resolvePath. */
export type Spellings = ReadonlyMap<string, readonly string[]>;

/** The spellings of all paths of some policies in one workload. */
export interface WorkloadSpellings {
  spellings: Spellings;
  /** Links to watch: when one is replaced the paths must be resolved again. */
  links: readonly FollowedLink[];
  /** Paths that do not exist, wholly or in their tail. */
  missing: ReadonlySet<string>;
  /** Of those whose last name is a link: where it leads. */
  targets: ReadonlyMap<string, string>;
  /** The first parts of them that do not exist: when one appears the paths must be resolved again. */
  absent: ReadonlySet<string>;
}

/** Resolves every path of the policies inside the workload whose root `read` knows. */
export function resolveSpellings(policies: readonly Policy[], read: ReadEntry): WorkloadSpellings {
  const spellings = new Map<string, readonly string[]>();
  const links = new Map<string, FollowedLink>();
  const missing = new Set<string>();
  const absent = new Set<string>();
  const targets = new Map<string, string>();
  for (const policy of policies)
    for (const rule of policy.rules)
      for (const path of rulePaths(rule)) {
        if (spellings.has(path)) continue;
        const resolution = resolvePath(path, read);
        spellings.set(path, withTerminal(resolution.spellings));
        for (const link of resolution.links) links.set(link.path, link);
        if (resolution.missing) missing.add(path);
        if (resolution.target !== undefined) targets.set(path, resolution.target);
        if (resolution.absent !== undefined) absent.add(resolution.absent);
      }
  return { spellings, links: [...links.values()], missing, targets, absent };
}

/** The paths and directories that a rule compares with: its object's (of a glob: the fixed leading directories), those of its sources. */
export function rulePaths({ object, fromSource }: Rule): string[] {
  const paths = fromSource.map((source) => source.path);
  const path = objectPath(object);
  if (path !== undefined) paths.push(path);
  return paths;
}

function objectPath(object: RuleObject): string | undefined {
  switch (object.kind) {
    case 'path':
    case 'dir':
      return object.path;
    case 'syscall':
      return object.target?.path;
    case 'glob':
      return globDirectory(object.pattern);
    default:
      return undefined;
  }
}

/** A terminal matches rules written as `/pts/N` as well as `/dev/pts/N`. */
function withTerminal(spellings: readonly string[]): readonly string[] {
  const terminals = spellings
    .filter((path) => path === '/pts' || path.startsWith('/pts/'))
    .map((path) => `/dev${path}`);
  return terminals.length === 0 ? spellings : [...new Set([...spellings, ...terminals])];
}

/** The spellings of a workload whose root directory is `root` in its mount namespace (a chroot): those below it as well. */
export function under(root: string, spellings: Spellings): Spellings {
  if (root === '/') return spellings;
  return new Map(
    [...spellings].map(([path, list]) => [path, [...new Set([...list, ...list.map((each) => below(root, each))])]]),
  );
}

/** `path`, seen from the directory that holds its root. */
export function below(root: string, path: string): string {
  return root === '/' ? path : `${root}${path === '/' ? '' : path}`;
}
