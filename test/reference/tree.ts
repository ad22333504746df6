/*
 * A file system as the model knows it: names, links, mounts, owners. Names are byte strings. Nothing here is read from a
 * real one; test/reference/stage.ts makes a real one that is the same.
 */

export type Kind = 'directory' | 'empty' | 'program' | 'script' | 'self' | 'link' | 'fifo' | 'character' | 'socket';

/** One thing in a world, by its absolute path, parents first. */
export interface Entry {
  path: string;
  kind: Kind;
  uid: number;
  /** Of a link: what it says; of a script: its interpreter; of a second name: the path of the first. */
  target?: string;
  /** A further name of the file `target`. */
  hard?: boolean;
  /** Of a character device. */
  device?: number;
}

export interface Mount {
  kind: 'bind' | 'tmpfs' | 'overlay';
  /** A directory that exists. */
  at: string;
  /** With bind: the directory that is seen there. */
  source?: string;
  /** With overlay: what the lower layer holds, by paths below `at`. */
  lower?: Entry[];
}

/** Directories of one name inside each other. */
export interface Chain {
  at: string;
  name: string;
  count: number;
}

export interface World {
  entries: Entry[];
  chains: Chain[];
  mounts: Mount[];
  /** What is made after the mounts. */
  late: Entry[];
}

export interface Node {
  kind: Kind;
  uid: number;
  target: string;
  children: Map<string, Node>;
  /** Something is mounted on it, in one of the places where it is seen at least. */
  covered: boolean;
}

/** Where a path leads. */
export interface Place {
  /** Canonical: from the root of the namespace, no links, no dots. */
  path: string;
  /** Undefined: there is nothing yet; its parent is a directory. */
  node: Node | undefined;
  parent: Node;
}

export interface From {
  /** Canonical paths. */
  root: string;
  cwd: string;
}

const top: From = { root: '/', cwd: '/' };
const maxLinks = 40;

export const joined = (names: readonly string[]): string => `/${names.join('/')}`;
export const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '');

export class Tree {
  readonly #root: Node = makeNode('directory', 0);
  readonly #mounts = new Map<string, Node>();

  constructor(world: World) {
    for (const entry of world.entries) this.add(entry);
    for (const { at, name, count } of world.chains) {
      let { node } = this.find(at);
      for (let i = 0; i < count; i++) {
        const next = makeNode('directory', 0);
        node?.children.set(name, next);
        node = next;
      }
    }
    for (const mount of world.mounts) this.#mount(mount);
    for (const entry of world.late) this.add(entry);
  }

  add(entry: Entry): void {
    const { parent, node } = this.find(entry.path, top, false);
    if (node) throw new Error(`${entry.path} twice`);
    const first = entry.hard ? this.find(entry.target ?? '', top, false).node : undefined;
    parent.children.set(namesOf(entry.path).at(-1) as string, first ?? makeNode(entry.kind, entry.uid, entry.target));
  }

  #mount({ kind, at, source, lower = [] }: Mount): void {
    const { path, node } = this.find(at);
    if (node?.kind !== 'directory') throw new Error(`${at} is no directory`);
    node.covered = true;
    const seen = kind === 'bind' ? this.find(source ?? '').node : makeNode('directory', 0);
    if (!seen) throw new Error(`${source} does not exist`);
    this.#mounts.set(path, seen);
    for (const entry of lower) this.add({ ...entry, path: at + entry.path });
  }

  /** As `resolve`, for a path that must lead somewhere. */
  find(path: string, from: From = top, follow = true): Place {
    const place = this.resolve(path, from, follow);
    if (!place) throw new Error(`${path} leads nowhere`);
    return place;
  }

  /**
   * Follows a path as the kernel does: links on the way, those at the end when `follow` says so or a slash stands behind;
   * an absolute target starts again at `from.root`. Undefined: a directory on the way does not exist, or there are too
   * many links.
   */
  resolve(path: string, from: From = top, follow = true): Place | undefined {
    let walk = this.#walkTo(path.startsWith('/') ? from.root : from.cwd);
    const depth = namesOf(from.root).length;
    const todo = path.split('/').reverse();
    const slash = path.endsWith('/');
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (walk.length > depth + 1) walk.pop();
        continue;
      }
      const parent = (walk.at(-1) as Step).node;
      if (parent?.kind !== 'directory') return undefined;
      const node = this.#child(walk, name);
      const last = todo.every((rest) => rest === '' || rest === '.');
      if (node?.kind === 'link' && (!last || follow || slash)) {
        if (++links > maxLinks) return undefined;
        if (node.target.startsWith('/')) walk = this.#walkTo(from.root);
        todo.push(...node.target.split('/').reverse());
        continue;
      }
      walk.push({ name, node });
      if (node === undefined && !last) return undefined;
    }
    const end = walk.at(-1) as Step;
    const above = walk.at(-2) ?? end;
    if (above.node === undefined) return undefined;
    return { path: joined(walk.slice(1).map(({ name }) => name)), node: end.node, parent: above.node };
  }

  /** Everything at and below a canonical path, as it is seen through mounts. */
  list(at: string): Place[] {
    const { node, parent, path } = this.find(at, top, false);
    const found: Place[] = [{ path, node, parent }];
    for (const name of node?.children.keys() ?? [])
      found.push(...this.list(path === '/' ? `/${name}` : `${path}/${name}`));
    return found;
  }

  /** The mount point under which a canonical path lies. */
  mountOf(path: string): string {
    const points = [...this.#mounts.keys()].filter((at) => path === at || path.startsWith(`${at}/`));
    return points.sort((a, b) => b.length - a.length)[0] ?? '/';
  }

  /** Whether something is mounted at or below the canonical path, or it is seen elsewhere through a mount. */
  isMounted(path: string, world: World): boolean {
    const inside = (one: string, other: string) => one === other || one.startsWith(`${other}/`);
    return world.mounts.some(({ at, source }) => inside(at, path) || (source !== undefined && inside(source, path)));
  }

  #walkTo(path: string): Step[] {
    const walk: Step[] = [{ name: '', node: this.#root }];
    for (const name of namesOf(path)) walk.push({ name, node: this.#child(walk, name) });
    return walk;
  }

  #child(walk: readonly Step[], name: string): Node | undefined {
    const node = walk.at(-1)?.node?.children.get(name);
    if (!node?.covered) return node;
    const path = joined([...walk.slice(1).map((step) => step.name), name]);
    return this.#mounts.get(path) ?? node;
  }

  /**
   * The spellings of a rule's path (6.2): as written; with every link followed; and the link itself where its directory is
   * reached through another link ("a Block rule on a link also keeps the link from being removed"). A tail that does not
   * exist is appended to what does.
   */
  spellings(written: string): string[] {
    const names = namesOf(written);
    const spellings = [joined(names)];
    const last = names.pop();
    if (last === undefined) return spellings;
    const parent = this.#resolveRule(names);
    const whole = this.#resolveRule([...names, last]);
    if (parent) spellings.push(joined([...parent, last]));
    if (whole) spellings.push(joined(whole));
    return [...new Set(spellings)];
  }

  #resolveRule(names: readonly string[]): string[] | undefined {
    let walk: Step[] = [{ name: '', node: this.#root }];
    const todo = [...names].reverse();
    let links = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (walk.length > 1) walk.pop();
        continue;
      }
      const node = this.#child(walk, name);
      if (node?.kind !== 'link') {
        walk.push({ name, node });
        continue;
      }
      if (++links > maxLinks) return undefined;
      if (node.target.startsWith('/')) walk = [{ name: '', node: this.#root }];
      todo.push(...node.target.split('/').reverse());
    }
    return walk.slice(1).map(({ name }) => name);
  }
}

interface Step {
  name: string;
  node: Node | undefined;
}

function makeNode(kind: Kind, uid: number, target = ''): Node {
  return { kind, uid, target, children: new Map(), covered: false };
}
