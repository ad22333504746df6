import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { coverageTable, coveredOperations } from '../../../agent/kernel/coverage.ts';
import { doctor } from '../../../agent/kernel/doctor.ts';
import type { Probes } from '../../../agent/kernel/facts.ts';
import { fakeProbes, refused } from './machine.ts';

const root = new URL('../../../', import.meta.url).pathname;
const eperm = () => refused(1, 'loading program picket_lsm: bpf_prog_load answered EPERM (1): operation not permitted');

function run(probes: Probes, json = false) {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const status = doctor({ json, write, probes });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are there on a terminal only
  return { status, text: text.replace(/\x1b\[\d+m/g, '') };
}

describe('doctor()', () => {
  it('ends with 0 and says what is prevented where BPF LSM works', () => {
    const { status, text } = run(fakeProbes());
    expect(status).toBe(0);
    expect(text).toMatch(/^Backend {2}lsm: /m);
    expect(text).toMatch(/^ +start a program +prevented$/m);
    expect(text).toMatch(/^ +open a file or directory +prevented$/m);
  });

  it('ends with 0 and says who is killed where only tracepoints work', () => {
    const { status, text } = run(fakeProbes({ tryLsm: eperm }));
    expect(status).toBe(0);
    expect(text).toMatch(/^Backend {2}tracepoint: /m);
    expect(text).toMatch(/start a program +killed before its first instruction/);
    expect(text).toMatch(/open a file or directory +killed after the fact/);
    expect(text).toMatch(/system calls +reported/);
    expect(text).toMatch(/unseen {2}.*\s.*bind a local socket;/);
  });

  it.each([
    ['no rights', { uid: 1000 }],
    ['no libbpf', { loadLibbpf: () => refused(0, 'libbpf.so.1 cannot be loaded (x); install it') }],
    ['no BTF', { exists: (): boolean => false }],
    ['another system', { platform: 'darwin', arch: 'arm64', kernel: '24.1.0' }],
    [
      'everything missing',
      { uid: 1000, exists: (): boolean => false, readText: () => undefined, kernel: '4.19.0', arch: 'ia32' },
    ],
  ])('ends with 3 on one screen, without a stack trace, for %s', (_, change) => {
    const { status, text } = run(fakeProbes(change));
    const lines = text.trimEnd().split('\n');
    expect(status).toBe(3);
    expect(text).toMatch(/^Backend {2}none: Picket cannot work here: /m);
    expect(text).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect(lines.length).toBeLessThanOrEqual(40);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('with json writes one object on one line that holds the same', () => {
    const { status, text } = run(fakeProbes({ tryLsm: eperm }), true);
    expect(status).toBe(0);
    expect(text.indexOf('\n')).toBe(text.length - 1);
    const report = JSON.parse(text);
    expect(report).toMatchObject({ backend: 'tracepoint', kernel: '6.1.0-56-cloud-amd64', cgroup2: '/sys/fs/cgroup' });
    expect(report.features).toContainEqual({
      feature: 'BPF LSM',
      ok: false,
      tried: true,
      required: false,
      found: 'loading is refused: EPERM (1): operation not permitted',
      means: expect.stringContaining('kills instead'),
      todo: expect.stringContaining('ask who runs'),
    });
    expect(report.coverage).toContainEqual({
      operation: 'open a file or directory',
      category: 'file',
      coverage: 'killed after the fact',
    });
  });

  it('with json claims no coverage where there is no backend', () => {
    const { status, text } = run(fakeProbes({ uid: 1000 }), true);
    const { backend, coverage } = JSON.parse(text) as { backend: null; coverage: { coverage: string }[] };
    expect([status, backend]).toEqual([3, null]);
    expect(new Set(coverage.map((row) => row.coverage))).toEqual(new Set(['unseen']));
  });

  it('says the same as README', () => {
    const readme = readFileSync(`${root}README.md`, 'utf8');
    const [, shown] = /<!-- coverage: .* -->\n(.*)\n<!-- \/coverage -->/s.exec(readme) ?? [];
    expect(shown?.trim()).toBe(coverageTable());
  });

  it('says each operation once', () => {
    const names = coveredOperations.map((row) => row.operation);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('doctor() in a process of its own', () => {
  const script = `
    import { doctor } from '${root}agent/kernel/doctor.ts';
    process.exitCode = doctor({ json: true, write: (text) => process.stdout.write(text) });`;
  const node = ['--input-type=module-typescript', '-e', script];

  it('answers for this machine', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, node, { encoding: 'utf8' });
    const { backend, reason } = JSON.parse(stdout) as { backend: string | null; reason: string };
    expect(stderr).toBe('');
    expect(status).toBe(backend === null ? 3 : 0);
    expect(reason).toMatch(/\.$/);
  });

  const missing =
    process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0
      ? ''
      : ': needs root, unshare (util-linux) and a root directory that is a mount point, as a chroot may not have';
  it.skipIf(missing)(`finds libbpf.so.1 missing where the library is hidden${missing}`, () => {
    // In a mount namespace of its own, an empty file lies over the library.
    const hide =
      'for file in /usr/lib*/*/libbpf.so.1* /usr/lib*/libbpf.so.1*; do [ -e "$file" ] && mount --bind /dev/null "$file"; done';
    const command = ['-m', 'sh', '-c', `${hide}; exec "$@"`, 'sh', process.execPath, ...node];
    const { status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      backend: null,
      features: expect.arrayContaining([
        expect.objectContaining({ feature: 'libbpf', ok: false, todo: 'install it: apt-get install libbpf1' }),
      ]),
    });
  });
});
