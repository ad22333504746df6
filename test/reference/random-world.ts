import { above } from './plan.ts';
import type { Random } from './random.ts';
import { chains, deepest, given, skeleton } from './skeleton.ts';
import { type Entry, type Mount, Tree, type World } from './tree.ts';

/** What a round adds to the skeleton. */
export type Addition = Pick<World, 'entries' | 'mounts' | 'late'>;

const names = ['a', 'b', 'c', 'x.key', 'x.log', '.h', 'key', 'tool', 'plain', 'd*r', '\xc3\xa9', '\xff'];
const users = [0, 1000, 1001];
/** Where the additions stand. */
export const grounds = ['/data', '/home', '/jail/data'];

export function completed(addition: Addition): World {
  return {
    entries: [...given, ...skeleton, ...addition.entries],
    chains,
    mounts: addition.mounts,
    late: [...deepest, ...addition.late],
  };
}

/** A few dozen directories, files, links and mounts. */
export function randomWorld(random: Random, features: { mounts: boolean; overlay: boolean }): Addition {
  const addition: Addition = { entries: [], mounts: [], late: [] };
  const taken = new Set<string>();
  const free = (directory: string): string | undefined => {
    const path = `${directory === '/' ? '' : directory}/${random.pick(names)}`;
    if (taken.has(path)) return undefined;
    taken.add(path);
    return path;
  };
  const directories = [...grounds];
  for (const path of grounds) addition.entries.push({ path, kind: 'directory', uid: random.pick(users) });
  const files: string[] = [];
  const programs = ['/usr/bin/plain', '/opt/plain'];
  for (let i = 0; i < 40; i++) {
    const path = free(random.pick(directories));
    if (path === undefined) continue;
    const kind = random.weighted({ directory: 40, empty: 20, program: 20, script: 6, link: 20, fifo: 3, hard: 5 });
    const uid = random.pick(users);
    switch (kind) {
      case 'directory':
        directories.push(path);
        addition.entries.push({ path, kind, uid });
        break;
      case 'script': {
        const interpreter = random.pick(programs);
        // in the jail a script would find another root
        if (path.startsWith('/jail') || interpreter.startsWith('/jail')) break;
        addition.entries.push({ path, kind, uid, target: interpreter });
        break;
      }
      case 'link':
        addition.entries.push({ path, kind, uid: 0, target: randomTarget(random, path, [...directories, ...files]) });
        break;
      case 'hard': {
        if (files.length === 0) break;
        addition.entries.push({ path, kind: 'empty', uid: 0, hard: true, target: random.pick(files) });
        break;
      }
      default:
        files.push(path);
        if (kind === 'program' && /^[\x20-\x7e]*$/.test(path)) programs.push(path);
        addition.entries.push({ path, kind, uid });
    }
  }
  if (features.mounts) addMounts(random, addition, directories, free, features.overlay);
  return addition;
}

/** Mostly something that exists; absolute or relative; as it would be said inside the jail when the link stands there. */
function randomTarget(random: Random, path: string, existing: readonly string[]): string {
  const jail = path.startsWith('/jail/') && random.chance(50);
  const inside = jail ? existing.filter((each) => each.startsWith('/jail/')) : existing;
  let target = random.pick(inside);
  if (random.chance(15)) target += `/${random.pick(names)}`;
  if (jail) return target.slice('/jail'.length);
  if (random.chance(50)) return target;
  return (
    above(path)
      .split('/')
      .slice(1)
      .map(() => '..')
      .join('/') + target
  );
}

function addMounts(
  random: Random,
  addition: Addition,
  directories: readonly string[],
  free: (directory: string) => string | undefined,
  overlay: boolean,
): void {
  const points: string[] = [];
  for (let i = random.integer(4); i > 0; i--) {
    const at = free(random.pick(directories.filter((path) => !points.some((point) => path.startsWith(point)))));
    if (at === undefined) continue;
    points.push(at);
    addition.entries.push({ path: at, kind: 'directory', uid: 0 });
    const kind = random.weighted({ bind: 50, tmpfs: 30, overlay: overlay ? 30 : 0 });
    const mount: Mount = { kind, at };
    if (kind === 'bind') mount.source = random.pick(directories.filter((path) => path !== '/jail/data'));
    if (kind === 'overlay') mount.lower = randomFiles(random, '');
    if (kind === 'tmpfs') addition.late.push(...randomFiles(random, at));
    addition.mounts.push(mount);
  }
}

function randomFiles(random: Random, at: string): Entry[] {
  const entries: Entry[] = [{ path: `${at}/a`, kind: 'directory', uid: random.pick(users) }];
  for (const name of ['x.key', 'tool', 'a/b', 'a/x.log'])
    entries.push({ path: `${at}/${name}`, kind: random.pick(['empty', 'program']), uid: random.pick(users) });
  return entries;
}

/** Paths that operations and rules are about: everything that was added, and the well-known. */
export function interesting(tree: Tree): string[] {
  return [
    ...grounds.flatMap((ground) => tree.list(ground).map(({ path }) => path)),
    ...skeleton.filter(({ path }) => !/^\/(proc|d|l|out)\b|twin$/.test(path)).map(({ path }) => path),
    ...deepest.map(({ path }) => path),
  ];
}

export function treeOf(addition: Addition): Tree {
  return new Tree(completed(addition));
}
