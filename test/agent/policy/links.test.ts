import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Entry, openRoot, type ReadEntry, resolvePath } from '../../../agent/policy/links.ts';
import { resolveSpellings } from '../../../agent/policy/spelling.ts';
import { accepted, ksp } from './objects.ts';
import { propertySeed } from './seed.ts';

/** A tree from a table: a text is a link's target, true something else; what is not there is missing. */
function tree(table: Record<string, string | true>, reads: string[] = []): ReadEntry {
  return (path): Entry => {
    reads.push(path);
    const found = table[path];
    return found === undefined
      ? { kind: 'missing' }
      : found === true
        ? { kind: 'other' }
        : { kind: 'link', target: found };
  };
}

const image = {
  '/bin': 'usr/bin',
  '/usr': true,
  '/usr/bin': true,
  '/usr/bin/python3': 'python3.11',
  '/usr/bin/python3.11': true,
  '/usr/bin/awk': '/etc/alternatives/awk',
  '/etc': true,
  '/etc/alternatives': true,
  '/etc/alternatives/awk': '/usr/bin/mawk',
  '/usr/bin/mawk': true,
  '/var': true,
  '/var/run': '/run',
  '/run': true,
  '/up': '../../../usr/bin',
  '/dot': './/usr/./bin/',
  '/loop': 'loop',
  '/a': '/b',
  '/b': '/a',
  '/dangling': '/nowhere/x/../y',
  '/file': true,
} as const;

describe('resolvePath()', () => {
  it.each<[string, string[], boolean]>([
    ['/usr/bin/mawk', ['/usr/bin/mawk'], false],
    ['/bin/mawk', ['/bin/mawk', '/usr/bin/mawk'], false],
    ['/bin/newtool', ['/bin/newtool', '/usr/bin/newtool'], true],
    ['/bin/new/er/tool', ['/bin/new/er/tool', '/usr/bin/new/er/tool'], true],
    ['/bin/python3', ['/bin/python3', '/usr/bin/python3', '/usr/bin/python3.11'], false],
    ['/bin/awk', ['/bin/awk', '/usr/bin/awk', '/usr/bin/mawk'], false],
    ['/bin', ['/bin', '/usr/bin'], false],
    ['/', ['/'], false],
    ['/var/run/later.txt', ['/var/run/later.txt', '/run/later.txt'], true],
    ['/up/mawk', ['/up/mawk', '/usr/bin/mawk'], false],
    ['/dot/mawk', ['/dot/mawk', '/usr/bin/mawk'], false],
    ['/dangling', ['/dangling', '/nowhere/y'], true],
    ['/nowhere', ['/nowhere'], true],
    ['/loop', ['/loop'], true],
    ['/loop/x', ['/loop/x'], true],
    ['/a', ['/a'], true],
  ])('%s', (path, spellings, missing) => {
    expect(resolvePath(path, tree(image))).toMatchObject({ spellings, missing });
  });

  it('tells the links it followed', () => {
    expect(resolvePath('/bin/awk', tree(image)).links).toEqual([
      { path: '/bin', target: 'usr/bin' },
      { path: '/usr/bin/awk', target: '/etc/alternatives/awk' },
      { path: '/etc/alternatives/awk', target: '/usr/bin/mawk' },
    ]);
  });

  it('reads nothing behind a part that is missing', () => {
    const reads: string[] = [];
    resolvePath('/bin/new/er/tool', tree(image, reads));
    expect(reads).toEqual(['/bin', '/usr', '/usr/bin', '/usr/bin/new']);
  });

  it('follows 40 links and not more', () => {
    const chain = (length: number) =>
      tree(
        Object.fromEntries(
          [...new Array(length).keys()].map((i) => [`/l${i}`, i + 1 === length ? '/end' : `l${i + 1}`]),
        ),
      );
    expect(resolvePath('/l0', chain(40)).spellings).toEqual(['/l0', '/end']);
    expect(resolvePath('/l0', chain(41)).spellings).toEqual(['/l0']);
  });

  it('is not slowed down by links that multiply', () => {
    const bomb = tree({ '/x': 'x/x/x/x/x/x/x/x' });
    expect(resolvePath('/x', bomb).spellings).toEqual(['/x']);
  });
});

describe('openRoot()', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'picket-links-'));
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    writeFileSync(join(root, 'usr/bin/tool'), '');
    symlinkSync('/usr/bin', join(root, 'bin'));
    symlinkSync('../../../../../../etc', join(root, 'escape'));
    symlinkSync(Buffer.from([0x2f, 0xff, 0x62, 0xc3, 0xa4]), join(root, 'bytes'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('starts absolute targets again at the root, and never leaves it', () => {
    using opened = openRoot(root);
    expect(resolvePath('/bin/tool', opened.read)).toMatchObject({
      spellings: ['/bin/tool', '/usr/bin/tool'],
      missing: false,
    });
    expect(resolvePath('/escape/passwd', opened.read)).toMatchObject({
      spellings: ['/escape/passwd', '/etc/passwd'],
      missing: true,
    });
  });

  it('treats a path below a file as missing', () => {
    using opened = openRoot(root);
    expect(resolvePath('/bin/tool/x', opened.read)).toMatchObject({
      spellings: ['/bin/tool/x', '/usr/bin/tool/x'],
      missing: true,
    });
  });

  it('keeps target bytes that are no UTF-8', () => {
    using opened = openRoot(root);
    expect(resolvePath('/bytes', opened.read).spellings[1]).toBe('/\udcffbä');
  });

  it('still reads the same directory after it was renamed away', () => {
    const moved = `${root}-moved`;
    using opened = openRoot(root);
    execFileSync('mv', [root, moved]);
    try {
      expect(resolvePath('/bin/tool', opened.read).missing).toBe(false);
    } finally {
      execFileSync('mv', [moved, root]);
    }
  });

  it('throws when there is no such root, and closes once', () => {
    expect(() => openRoot(join(root, 'none'))).toThrow(/ENOENT/);
    const opened = openRoot(root);
    opened[Symbol.dispose]();
    opened[Symbol.dispose]();
  });

  it('agrees with the kernel on random trees of relative links', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const path = fc.array(name, { minLength: 1, maxLength: 4 });
    const target = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '.', '..'), { minLength: 1, maxLength: 4 });
    let resolved = 0;
    fc.assert(
      fc.property(
        fc.array(path, { maxLength: 8 }),
        fc.array(fc.tuple(path, target), { maxLength: 8 }),
        fc.array(path, { minLength: 1, maxLength: 12 }),
        (dirs, links, asked) => {
          const base = mkdtempSync(join(root, 'tree-'));
          // So deep that no chain of dot-dots leaves the tree: there the kernel's root would be another than ours.
          const top = join(base, 'p/p/p/p/p/p/p/p/p/p/p/p');
          mkdirSync(top, { recursive: true });
          for (const dir of dirs) mkdirSync(join(top, ...dir), { recursive: true });
          for (const [at, to] of links) {
            const parent = join(top, ...at.slice(0, -1));
            if (existsSync(parent) && realpathSync(parent) === parent && !readdirSync(parent).includes(at.at(-1) ?? ''))
              symlinkSync(to.join('/'), join(parent, at.at(-1) ?? ''));
          }
          using opened = openRoot(base);
          for (const names of asked) {
            const written = join(top, ...names);
            let kernel: string;
            try {
              kernel = realpathSync.native(written);
            } catch {
              continue;
            }
            resolved++;
            const { spellings, missing } = resolvePath(written.slice(base.length), opened.read);
            if (!kernel.startsWith(`${base}/`)) continue;
            expect(spellings).toContain(kernel.slice(base.length));
            expect(missing).toBe(false);
          }
          rmSync(base, { recursive: true });
        },
      ),
      { seed: propertySeed('links'), numRuns: 80 },
    );
    expect(resolved).toBeGreaterThan(20);
  });
});

describe('resolveSpellings()', () => {
  it('knows every path of every category, the links to watch and what is missing', () => {
    const policy = accepted(
      ksp({
        process: { matchDirectories: [{ dir: '/bin/' }] },
        file: { matchPaths: [{ path: '/bin/awk' }, { path: '/none' }] },
        syscalls: {
          matchPaths: [{ path: '/var/run/', syscall: ['unlink'] }],
          matchSyscalls: [{ syscall: ['unlink'] }],
        },
      }),
    );
    const { spellings, links, missing } = resolveSpellings([policy], tree(image));
    expect([...spellings]).toEqual([
      ['/bin', ['/bin', '/usr/bin']],
      ['/bin/awk', ['/bin/awk', '/usr/bin/awk', '/usr/bin/mawk']],
      ['/none', ['/none']],
      ['/var/run', ['/var/run', '/run']],
    ]);
    expect(links.map(({ path }) => path)).toEqual(['/bin', '/usr/bin/awk', '/etc/alternatives/awk', '/var/run']);
    expect([...missing]).toEqual(['/none']);
  });

  it('lets /pts/N mean /dev/pts/N too', () => {
    const policy = accepted(
      ksp({ file: { matchPaths: [{ path: '/pts/0' }, { path: '/ptsx' }], matchDirectories: [{ dir: '/pts/' }] } }),
    );
    expect([...resolveSpellings([policy], tree({})).spellings]).toEqual([
      ['/pts/0', ['/pts/0', '/dev/pts/0']],
      ['/ptsx', ['/ptsx']],
      ['/pts', ['/pts', '/dev/pts']],
    ]);
  });
});
