import { type Decision, decide, type Posture, type Workload } from './decision.ts';
import type { Features } from './features.ts';
import type { Operation } from './operation.ts';
import { type Judged, type Plan, plan } from './plan.ts';
import { Random } from './random.ts';
import { randomOperation, type Targets } from './random-operations.ts';
import { randomPolicies, type Subjects, workload } from './random-policies.ts';
import { type Addition, completed, interesting, randomWorld, treeOf } from './random-world.ts';
import { deepestDirectory, longestDirectory } from './skeleton.ts';
import { joined, namesOf, type Place, type Tree } from './tree.ts';
import type { WrittenPolicy } from './written.ts';

/** What is set beside policies (sections 15 and 18). */
export interface Settings {
  mode: 'enabled' | 'audited' | 'disabled';
  postures: { file: Posture; network: Posture; capabilities: Posture };
  /** By annotation of the namespace; it wins. */
  annotated: Partial<Record<'file' | 'network' | 'capabilities', string>>;
  baseline: boolean;
}

/** A world, policies and operations that one seed makes. */
export interface Round {
  seed: number;
  addition: Addition;
  settings: Settings;
  policies: WrittenPolicy[];
  operations: Operation[];
}

export function randomRound(seed: number, count: number, features: Features): Round {
  const random = new Random(seed);
  const addition = randomWorld(random, features);
  const tree = treeOf(addition);
  const { subjects, targets } = choose(random, tree, addition, features);
  const policies = randomPolicies(random, subjects, features);
  const settings = randomSettings(random, features);
  const operations: Operation[] = [];
  const last: Operation[] = [];
  for (let tries = count * 20; operations.length < count && tries > 0; tries--) {
    const operation = randomOperation(random, tree, targets, features);
    if (!plan(tree, operation)) continue;
    if (touchesLinks(tree, operation)) last.push(operation);
    else operations.push(operation);
  }
  // When a link is replaced the rules are resolved again, within a second: one such operation, and nothing after it.
  if (features.links) operations.push(...last.slice(0, 1));
  return { seed, addition, settings, policies, operations };
}

function choose(
  random: Random,
  tree: Tree,
  addition: Addition,
  features: Features,
): { subjects: Subjects; targets: Targets } {
  const isReached = (path: string) =>
    (features.deep || namesOf(path).length <= 60) && (features.long || path.length <= 1000);
  const existing = interesting(tree).filter(isReached);
  const places = existing.map((path) => tree.find(path, undefined, false));
  const directories = places.filter(({ node }) => node?.kind === 'directory').map(({ path }) => path);
  const links = places.flatMap(({ path, node }) => {
    const leads = node?.kind === 'link' ? tree.resolve(path)?.path : undefined;
    return leads === undefined || leads === '/' ? [] : [{ path, leads }];
  });
  const free = freePaths(random, tree, directories, features).filter(isReached);
  const executables = places
    .filter(({ node }) => ['program', 'script', 'self', 'empty'].includes(node?.kind ?? ''))
    .map(({ path }) => path);
  const movable = directories.filter(
    (path) => /^\/(data|home)\//.test(path) && !tree.isMounted(path, completed(addition)) && !hasLink(tree, path),
  );

  // A few paths are hot: most rules and most operations are about them.
  const hot = [...random.list(8, () => random.pick(existing)), ...random.list(4, () => random.pick(free))];
  const hotExecutables = random.list(5, () => random.pick(executables));
  const spelled = (path: string): string => {
    const fitting = links.filter(({ leads }) => path === leads || path.startsWith(`${leads}/`));
    if (fitting.length === 0 || random.chance(60)) return path;
    const { path: link, leads } = random.pick(fitting);
    return link + path.slice(leads.length);
  };
  const isThere = new Set(existing);
  const times = (list: readonly string[], count: number) => Array.from({ length: count }, () => list).flat();
  return {
    subjects: {
      paths: [...times(hot.map(spelled), 6), ...existing, ...free, ...links.map(({ path }) => path)],
      directories,
      executables: [...times(hotExecutables.map(spelled), 6), ...executables, ...links.map(({ path }) => path)],
    },
    targets: {
      existing: [
        ...times(
          hot.filter((path) => isThere.has(path)),
          8,
        ),
        ...existing,
      ],
      free: [
        ...times(
          hot.filter((path) => !isThere.has(path)),
          6,
        ),
        ...free,
      ],
      executables: [...times(hotExecutables, 8), ...executables],
      movable,
      links,
    },
  };
}

function freePaths(random: Random, tree: Tree, directories: readonly string[], features: Features): string[] {
  const names = ['new', 'a', 'b', 'x.key', 'x.log', 'tool', '\xc3\xa9', '.new', 'n*w'];
  const paths = random.list(30, () => joined([...namesOf(random.pick(directories)), random.pick(names)]));
  if (features.deep) paths.push(`${deepestDirectory}/g`);
  if (features.long) paths.push(`${longestDirectory}/${'g'.repeat(252)}`);
  return paths.filter((path) => tree.find(path, undefined, false).node === undefined);
}

function hasLink(tree: Tree, path: string): boolean {
  return tree.list(path).some(({ node }) => node?.kind === 'link');
}

/** Whether it takes a link away, or puts another in its place. */
function touchesLinks(tree: Tree, operation: Operation): boolean {
  if (operation.kind !== 'unlink' && operation.kind !== 'rename') return false;
  const names = operation.kind === 'rename' ? [operation.old, operation.name] : [operation.name];
  return names.some((name) => {
    const place: Place | undefined = tree.resolve(name.path, { root: '/', cwd: name.base?.directory ?? '/' }, false);
    if (!place?.node) return false;
    return place.node.kind === 'directory' ? hasLink(tree, place.path) : place.node.kind === 'link';
  });
}

function randomSettings(random: Random, features: Features): Settings {
  const posture = (): Posture => random.pick(['block', 'block', 'audit']);
  const annotated: Settings['annotated'] = {};
  if (!features.settings)
    return {
      mode: 'enabled',
      postures: { file: 'block', network: 'block', capabilities: 'block' },
      annotated,
      baseline: true,
    };
  for (const category of ['file', 'network', 'capabilities'] as const)
    if (random.chance(15)) annotated[category] = random.pick(['block', 'audit', 'audit', 'nonsense']);
  return {
    mode: random.weighted({ enabled: 85, audited: 10, disabled: 5 }),
    postures: { file: posture(), network: posture(), capabilities: posture() },
    annotated,
    baseline: random.chance(80),
  };
}

/** The round's container as the decision sees it. */
export function workloadOf({ settings }: Round, tree: Tree): Workload {
  const { mode, postures, annotated, baseline } = settings;
  const known = new Map<string, readonly string[]>();
  const posture = (category: 'file' | 'network' | 'capabilities'): Posture => {
    const value = annotated[category];
    return value === 'block' || value === 'audit' ? value : postures[category];
  };
  return {
    ...workload,
    postures: { file: posture('file'), network: posture('network'), capabilities: posture('capabilities') },
    baseline,
    mode,
    spellings: (path) => {
      const spellings = known.get(path) ?? tree.spellings(path);
      known.set(path, spellings);
      return spellings;
    },
  };
}

/** What an act must come to. */
export interface Expectation {
  /** What the call returns; undefined: whatever it returns when nobody judges. */
  refusal: number | undefined;
  /** An alert may have been given before: when the descriptor that is used was opened. */
  mayBeSilent: boolean;
  /** What rules on system calls say of the call. */
  call: Decision | undefined;
  /** The access that is refused, or those that are made. */
  decisions: { judged: Judged; decision: Decision }[];
}

/** For each act of the plan; those after a refusal are not made. */
export function expectationsOf(round: Round, made: Plan, workload: Workload): Expectation[] {
  const expectations: Expectation[] = [];
  for (const act of made.acts) {
    const { judged } = act;
    const decisions: Expectation['decisions'] = [];
    let refusal: number | undefined;
    for (const each of judged) {
      const decision = decide(workload, round.policies, each.access);
      decisions.push({ judged: each, decision });
      if (decision.verdict !== 'deny') continue;
      refusal = each.refusal;
      break;
    }
    const call = act.call && decide(workload, round.policies, act.call);
    expectations.push({ refusal, decisions, call, mayBeSilent: expectations.length > 0 && refusal === undefined });
    if (refusal !== undefined) break;
  }
  return expectations;
}
