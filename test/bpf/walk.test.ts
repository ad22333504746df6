import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { bootGuest } from '../kernel/guest.ts';
import type { KernelSeries } from '../kernel/image.ts';
import type { Report, Script } from './executions.ts';

const program = join(import.meta.dirname, 'executions.ts');
const repeat = (text: string, times: number) => Array.from({ length: times }, () => text);
const mount = (at: string) => `mkdir -p ${at}; mount -t tmpfs none ${at}; cp /bin/true ${at}/p;`;
const deep = Array.from({ length: 12 }, (_, i) => `d${i}`).join('/');
const many = Array.from({ length: 24 }, (_, i) => `m${i}`);

/** Renames there and back until a file named `stop` appears, on another processor where there is one. */
const storm = (one: string, two: string) =>
  `taskset -c 0-1023 perl -e 'rename("${one}", "${two}"), rename("${two}", "${one}") while !-e "stop"' &`;

const scripts = {
  moved: `
    ${mount('one/point')} one/point/p; one/point/p
    mv one two; two/point/p; two/point/p
    mkdir three; mount --move two/point three; three/p; three/p
    umount three; ${mount('three')} three/p
    mkdir three/inner; mount --bind three three/inner; three/inner/p; three/p
    mv two one; ${mount('one/point')} one/point/p`,
  nested: `
    ${mount('a')} ${mount('a/b/c')} ${mount('a/b/c/d')} ${mount(deep)}
    for i in 1 2; do a/p; a/b/c/p; a/b/c/d/p; ${deep}/p; done
    for m in ${many.join(' ')}; do ${mount('$m')} done
    for i in 1 2; do for m in ${many.join(' ')}; do $m/p; done; done`,
  gone: `${mount('gone')} gone/p; gone/p; cd gone; umount -l .; ./p`,
  elsewhere: `
    mkdir -p a/x other; touch other/f; cp /bin/true a/x/p; ${storm('other/f', 'other/g')}
    cd a/x; ${repeat('./p', 100).join(';')}; touch ../../stop; wait`,
  above: `
    mkdir -p a/x; cp /bin/true a/x/p; ${storm('a', 'b')}
    cd a/x; ${repeat('./p', 100).join(';')}; touch ../../stop; wait`,
};
const expected = {
  moved: [
    'one/point',
    'one/point',
    'two/point',
    'two/point',
    'three',
    'three',
    'three',
    'three/inner',
    'three',
    'one/point',
  ],
  nested: [...repeat('', 2).flatMap(() => ['a', 'a/b/c', 'a/b/c/d', deep]), ...many, ...many],
  gone: ['gone', 'gone'],
  elsewhere: repeat('a/x', 100),
  above: ['a/x', 'b/x'],
};
type Name = keyof typeof scripts;
const names = Object.keys(scripts) as Name[];
const paths = (name: Name) => expected[name].map((folder) => `${folder}/p`);
const input = JSON.stringify(names.map((name): Script => ({ text: scripts[name], paths: paths(name) })));

/** Runs the scripts in a guest, where the way from a mount to the root is remembered. */
async function runInGuest(kernel: KernelSeries): Promise<string> {
  await using guest = await bootGuest({ kernel });
  const { status, stdout, stderr } = await guest.run([process.execPath, program, 'lsm'], {
    stdin: input,
    timeoutMs: 300_000,
  });
  expect(status, String(stderr)).toBe(0);
  return String(stdout);
}

describe.each([
  [
    'on this kernel',
    missingForHost,
    () => execFileSync(process.execPath, [program, 'tracepoint'], { input, encoding: 'utf8' }),
  ],
  ['on 6.1', undefined, () => runInGuest('6.1')],
] as const)('path__walk_direct() and walk__prefix() %s', (_, missing, run) => {
  describe.skipIf(missing)(named('in the kernel', missing), () => {
    let reports: Report[];
    beforeAll(async () => {
      reports = JSON.parse(await run());
    });
    const report = (name: Name) => reports[names.indexOf(name)] as Report;
    const agree = (name: Name) => paths(name).map((path) => ({ path, byHash: path }));

    it('follow a mount: the directory above is renamed, the mount is moved, another takes its place', () => {
      expect(report('moved').executions).toEqual(agree('moved'));
    });

    it('know mounts that lie deep, inside each other, and more of them than are remembered', () => {
      expect(report('nested').executions).toEqual(agree('nested'));
    });

    it('find no path for a program whose mount is gone', () => {
      expect(report('gone').executions).toEqual([...agree('gone'), {}]);
    });

    it('do not fail while files elsewhere are renamed', () => {
      expect(report('elsewhere').executions).toEqual(agree('elsewhere'));
      const { path_unresolved } = report('gone').counters;
      expect(report('elsewhere').counters).toMatchObject({ path_unresolved, scratch_busy: 0 });
    });

    it('see one name or the other while a directory above is renamed, never a mixture', () => {
      const { executions } = report('above');
      expect(executions).toHaveLength(100);
      // A processor of a guest that stands still in the middle of a rename leaves the path unresolved (policy language, 6.3).
      const resolved = executions.filter(({ path }) => path !== undefined);
      console.log(`${executions.length - resolved.length} of ${executions.length} paths unresolved under renames`);
      expect(resolved.length).toBeGreaterThan(executions.length / 2);
      // The text is read after the hash: each is one of the two.
      expect(
        resolved.filter(({ path = '', byHash }) => byHash === undefined || !paths('above').includes(path)),
      ).toEqual([]);
    });
  });
});
