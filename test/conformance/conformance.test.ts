import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, matchesGlob } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isLong } from '../scale.ts';
import { listCases } from './case.ts';
import { reasonWithoutContainers } from './machine.ts';

/** What differs between the kernels: the walk along a path, overlays, sockets, system calls, terminals, first programs. */
const kernelSensitive = '{seed,deep,long,path,link,net,dns,preset,syscall,script,late,new}-*';
/** runc's sessions are what users have; those of our own program take a third of the time in a guest. */
const runs: { from: string; kernel: string; only: string; sessions: string }[] = isLong
  ? ['6.1', '6.12'].flatMap((kernel) => [
      { from: 'cases', kernel, only: '*', sessions: 'runc' },
      { from: 'more', kernel, only: '*', sessions: 'enter' },
    ])
  : [
      { from: 'cases', kernel: '6.12', only: '*', sessions: 'enter' },
      { from: 'cases', kernel: '6.1', only: kernelSensitive, sessions: 'runc' },
      { from: 'more', kernel: '6.12', only: '*', sessions: 'enter' },
    ];
/** Alerts are not throttled yet. */
const mayBeSkipped = /^skip throttle-\S+ \(0\.0 s\): needs the agent setting /;

/** The runner as `picket policy test` starts it. */
function runRunner(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

describe('picket policy test', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'picket-cases-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.for(runs)('$from/$only pass in the $kernel guest', { timeout: 7_200_000 }, async ({ from, ...run }) => {
    const junit = join(folder, `${from}-${run.kernel}.xml`);
    const cases = join(import.meta.dirname, from);
    const options = Object.entries(run).flatMap(([name, value]) => [`--${name}`, value]);
    const { stdout, stderr, status } = await runRunner(cases, ...options, '--junit', junit);
    const lines = stdout.trimEnd().split('\n');
    const of = (word: string) => lines.filter((line) => line.startsWith(word));
    expect(of('FAIL '), stdout + stderr).toEqual([]);
    expect(of('skip ').filter((line) => !mayBeSkipped.test(line))).toEqual([]);
    const wanted = listCases(cases).filter((file) => matchesGlob(basename(file, '.yaml'), run.only));
    const skipped = of('skip ').length;
    expect(lines.at(-1), stderr).toBe(`${wanted.length - skipped} passed, 0 failed, ${skipped} skipped`);
    expect(of('ok ')).toHaveLength(wanted.length - skipped);
    expect(status).toBe(0);
    expect(readFileSync(junit, 'utf8')).toContain(
      `<testsuites tests="${wanted.length}" failures="0" errors="0" skipped="${skipped}"`,
    );
  });

  test('a case that does not hold fails, a broken file fails, one that needs a guest is skipped, each by name', async ({
    skip,
  }) => {
    const reason = await reasonWithoutContainers();
    skip(reason !== undefined, reason);
    const file = (name: string, text: string) =>
      writeFile(join(folder, `${name}.yaml`), `case: ${name}\nabout: x\n${text}`);
    await file('wrong', 'policies: []\nsteps:\n- {in: ubuntu-1, run: cat /secret.txt, expect: denied}\n');
    await file(
      'silent',
      'policies: []\nsteps:\n- {in: ubuntu-1, run: "true", expect: allowed, alerts: [{PolicyName: none}]}\n',
    );
    await file(
      'right',
      'policies: []\nsteps:\n- {in: ubuntu-1, exec: [cat, /secret.txt], expect: allowed, output: ^secret file$}\n',
    );
    await file('broken', 'policies: []\nsteps: []\n');
    await file('later', 'policies: []\nsteps:\n- {in: host, run: "true", expect: allowed}\n');
    const { status, stdout } = await runRunner(folder, '--kernel', 'host');
    const line = (name: string) => stdout.split('\n').find((text) => text.slice(5).startsWith(`${name} `));
    expect(line('wrong')).toMatch(/^FAIL/);
    expect(stdout).toContain(
      'step 1, in ubuntu-1: cat /secret.txt\n       expected denied, exit status is 0; output: "secret file\\n"',
    );
    expect(line('silent')).toMatch(/^FAIL/);
    expect(stdout).toContain('no alert meets {"PolicyName":"none"}');
    expect(line('right')).toMatch(/^ok /);
    expect(line('broken')).toMatch(/^FAIL/);
    expect(stdout).toContain(`${folder}/broken.yaml:4: steps: `);
    expect(line('later')).toMatch(/^skip later \(0\.0 s\): needs host$/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 3 failed, 1 skipped');
    expect(status).toBe(1);
  });

  test('a case during which the agent ends fails, and the next one has a new agent', async ({ skip }) => {
    const reason = await reasonWithoutContainers();
    skip(reason !== undefined, reason);
    const cases = join(folder, 'ending');
    await mkdir(cases);
    const write = (name: string, run: string) =>
      writeFile(
        join(cases, `${name}.yaml`),
        `case: ${name}\nabout: x\npolicies: []\nsteps:\n- {in: ubuntu-1, run: ${run}, expect: allowed, noAlerts: [{A: b}]}\n`,
      );
    await write('1-waits', 'sleep 77');
    await write('2-works', 'cat /secret.txt');
    const runner = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), cases, '--kernel', 'host']);
    const printed = text(runner.stdout);
    const below = (pid: number | undefined): number[] => {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
      return children.filter((child) => child > 0).flatMap((child) => [child, ...below(child)]);
    };
    const find = (words: string) =>
      vi.waitUntil(
        () => below(runner.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(words)),
        { timeout: 60_000 },
      );
    const agent = await find('agent/picket.ts\0agent\0');
    const session = await find('sleep\x0077');
    process.kill(agent, 'SIGKILL');
    process.kill(session, 'SIGKILL');
    const lines = (await printed).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^FAIL 1-waits /);
    expect(lines.join('\n')).toContain('the case could not be run: no agent answers');
    expect(lines.slice(-2)).toEqual([expect.stringMatching(/^ok {3}2-works /), '1 passed, 1 failed, 0 skipped']);
  });

  test.for<[what: string, args: string[], stdout: string, stderr: RegExp]>([
    [
      'a name that no case has',
      ['.', '--only', 'nothing-*'],
      '0 passed, 0 failed, 0 skipped\n',
      /^no case matches nothing-\* in \/.*; a case is a file NAME.yaml\n$/,
    ],
    ['a folder that is not there', ['none'], '', /^picket policy test: the folder \/.*\/none cannot be read: ENOENT/],
    [
      'a file',
      ['plain'],
      '',
      /the folder \/.*\/plain cannot be read: it is no folder; allowed: a folder of \*.yaml files/,
    ],
    [
      'a kernel that is not offered',
      ['.', '--kernel', '5.4'],
      '',
      /'5.4' is invalid. Allowed choices are host, 6.1, 6.12/,
    ],
    ['a limit that is no number', ['.', '--timeout', 'soon'], '', /'soon' is invalid. Allowed: a number of seconds/],
    ['an option that is not known', ['.', '--onli', 'x'], '', /unknown option '--onli'/],
    [
      'results that cannot be written',
      ['.', '--junit', '/nowhere/x.xml'],
      '',
      /--junit \/nowhere\/x.xml cannot be written: ENOENT/,
    ],
    ['two folders', ['.', '.'], '', /too many arguments/],
    ['no folder', [], '', /missing required argument 'folder'/],
  ])('%s is a usage error', async ([, args, stdout, stderr]) => {
    const cases = join(folder, 'usage');
    await mkdir(cases, { recursive: true });
    await writeFile(join(cases, 'plain'), '');
    await writeFile(join(cases, 'some.yaml'), 'case: some\n');
    const paths = args.map((arg, i) => (i === 0 || arg === '.' ? join(cases, arg) : arg));
    const found = await runRunner(...paths);
    expect(found).toEqual({ status: 2, stdout, stderr: expect.stringMatching(stderr) });
  });

  test('files that cannot be read fail, each by name, with the rest', async () => {
    const cases = join(folder, 'unreadable');
    await mkdir(join(cases, 'folder.yaml'), { recursive: true });
    await symlink('nowhere', join(cases, 'dangling.yaml'));
    await symlink('loop.yaml', join(cases, 'loop.yaml'));
    await writeFile(join(cases, 'bytes.yaml'), Buffer.of(0x61, 0xff));
    await writeFile(join(cases, 'empty.yaml'), '');
    await writeFile(join(cases, 'alias.yaml'), 'case: *name\n');
    const junit = join(folder, 'unreadable.xml');
    const { status, stdout, stderr } = await runRunner(cases, '--kernel', 'host', '--junit', junit);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('FAIL ')).map((line) => line.split(' ')[1])).toEqual([
      'alias',
      'bytes',
      'dangling',
      'empty',
      'folder',
      'loop',
    ]);
    for (const name of ['alias', 'bytes', 'dangling', 'empty', 'folder', 'loop'])
      expect(stdout).toContain(`       ${cases}/${name}.yaml:1: `);
    expect([lines.at(-1), status, stderr]).toEqual(['0 passed, 6 failed, 0 skipped', 1, '']);
    expect(readFileSync(junit, 'utf8')).toContain('<testsuites tests="6" failures="6"');
  });
});
