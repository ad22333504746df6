import { describe, expect, it } from 'vitest';
import { Tree, type World } from './tree.ts';

const entry = (path: string, target?: string): World['entries'][number] =>
  target === undefined
    ? { path, kind: path.endsWith('.d') ? 'directory' : 'empty', uid: 0 }
    : { path, kind: 'link', uid: 0, target };

const world: World = {
  entries: [
    ...['/a.d', '/a.d/b.d', '/jail.d', '/jail.d/a.d', '/m.d', '/a.d/f', '/a.d/b.d/g', '/jail.d/a.d/f'].map((path) =>
      entry(path),
    ),
    entry('/l', 'a.d/b.d'),
    entry('/a.d/up', '..'),
    entry('/jail.d/abs', '/a.d/f'),
    entry('/a.d/chain', '/l/g'),
    entry('/loop', 'loop'),
    entry('/dangling', '/a.d/none/x'),
    entry('/a.d/b.d/tool', '/a.d/f'),
  ],
  chains: [{ at: '/a.d', name: 'c', count: 3 }],
  mounts: [{ kind: 'bind', at: '/m.d', source: '/a.d' }],
  late: [],
};
const tree = new Tree(world);

describe('Tree.resolve()', () => {
  it.for([
    ['/a.d/f', '/a.d/f'],
    ['/l/g', '/a.d/b.d/g'],
    ['/l', '/a.d/b.d'],
    ['/a.d/up/a.d/./b.d/../f', '/a.d/f'],
    ['/a.d/chain', '/a.d/b.d/g'],
    ['/../../a.d', '/a.d'],
    ['/m.d/b.d/g', '/m.d/b.d/g'],
    ['/m.d/chain', '/a.d/b.d/g'],
    ['/m.d/up/a.d', '/a.d'],
    ['/a.d/c/c/c', '/a.d/c/c/c'],
    ['/a.d/new', '/a.d/new'],
  ])('%s is %s', ([path, canonical]) => {
    expect(tree.resolve(String(path))?.path).toBe(canonical);
  });

  it('leads nowhere through a loop, through what is not there, through a file', () => {
    for (const path of ['/loop', '/none/x', '/a.d/f/x', '/dangling']) expect(tree.resolve(path)).toBeUndefined();
  });

  it('starts at the root of a task and never leaves it', () => {
    const from = { root: '/jail.d', cwd: '/jail.d/a.d' };
    expect(tree.resolve('/abs', from)?.path).toBe('/jail.d/a.d/f');
    expect(tree.resolve('../../../a.d/f', from)?.path).toBe('/jail.d/a.d/f');
    expect(tree.resolve('f', from)?.path).toBe('/jail.d/a.d/f');
  });

  it('gives the link itself when it is not to be followed', () => {
    expect(tree.resolve('/l', undefined, false)?.node?.kind).toBe('link');
    expect(tree.resolve('/l/', undefined, false)?.path).toBe('/a.d/b.d');
  });
});

describe('Tree.spellings()', () => {
  it.for([
    ['/a.d/f', ['/a.d/f']],
    ['/l', ['/l', '/a.d/b.d']],
    ['/l/tool', ['/l/tool', '/a.d/b.d/tool', '/a.d/f']],
    ['/l/new/x', ['/l/new/x', '/a.d/b.d/new/x']],
    ['/dangling', ['/dangling', '/a.d/none/x']],
    ['/jail.d/abs', ['/jail.d/abs', '/a.d/f']],
    ['/loop', ['/loop']],
    ['/', ['/']],
  ] as const)('%s', ([path, spellings]) => {
    expect(tree.spellings(path)).toEqual(spellings);
  });
});
