import type { Chain, Entry } from './tree.ts';

/*
 * The part of every world that stays: where the actors' programs lie, the links of a merged /usr, what the start-up
 * baseline names, the longest and the deepest path that there may be.
 */

const directories = [
  ...['/usr', '/usr/bin', '/usr/lib', '/usr/lib/inner', '/etc', '/etc/ld.so.conf.d', '/opt', '/opt/tools'],
  ...['/opt/tools/inner', '/srv', '/jail', '/jail/bin', '/d', '/l', '/out', '/dev/shm'],
];

/** The programs that actors run; `jail`: with /jail as their root directory. */
export const programs = [
  { path: '/usr/bin/one' },
  { path: '/usr/bin/two' },
  { path: '/opt/tools/three' },
  { path: '/opt/tools/inner/four' },
  { path: '/srv/five' },
  { path: '/jail/bin/six', jail: true },
];
/** What the actors outside of the workload run. */
export const twinPrograms = { free: '/out/twin', jail: '/jail/bin/twin' };

const links: [path: string, target: string][] = [
  ['/bin', 'usr/bin'],
  ['/lib', 'usr/lib'],
  ['/usr/bin/tool', '/opt/tools/three'],
  ['/srv/inner', '../opt/tools/inner'],
  ['/srv/bin', '/bin'],
];

const device = (major: number, minor: number) => (major << 8) | minor;
const entry = (kind: Entry['kind'], path: string, more: Partial<Entry> = {}): Entry => ({
  path,
  kind,
  uid: 0,
  ...more,
});

export const skeleton: Entry[] = [
  ...directories.map((path) => entry('directory', path)),
  ...programs.map(({ path }) => entry('self', path)),
  ...Object.values(twinPrograms).map((path) => entry('self', path)),
  ...links.map(([path, target]) => entry('link', path, { target })),
  ...['/usr/lib/x.so', '/usr/lib/inner/y.so', '/etc/ld.so.cache', '/etc/hostname'].map((path) => entry('empty', path)),
  ...['/etc/ld.so.conf.d/z.conf', '/usr/bin/plain', '/opt/plain', '/dev/shm/tool'].map((path) =>
    entry('program', path),
  ),
  entry('character', '/dev/null', { device: device(1, 3) }),
  entry('character', '/dev/zero', { device: device(1, 5) }),
  entry('character', '/dev/full', { device: device(1, 7) }),
  entry('character', '/dev/urandom', { device: device(1, 9) }),
];

/** What is there before anything is made. */
export const given: Entry[] = ['/proc', '/dev', '/dev/pts'].map((path) => entry('directory', path));

const longName = 'n'.repeat(255);
export const chains: Chain[] = [
  { at: '/d', name: 'd', count: 2045 },
  { at: '/l', name: longName, count: 15 },
];
/** 2,047 components. */
export const deepestDirectory = `/d${'/d'.repeat(2045)}`;
/** With a name of 252 bytes more: 4,095 bytes. */
export const longestDirectory = `/l${`/${longName}`.repeat(15)}`;
export const deepest: Entry[] = [
  entry('program', `${deepestDirectory}/f`),
  entry('program', `${longestDirectory}/${'f'.repeat(252)}`),
];
