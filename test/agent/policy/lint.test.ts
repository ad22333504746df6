import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../agent/abi.gen.ts';
import { diagnosticLevels, formatDiagnostic } from '../../../agent/policy/diagnostic.ts';
import { formatRepetition, lintPolicy, repetitions } from '../../../agent/policy/lint.ts';
import { readPolicies } from '../../../agent/policy/read.ts';
import { picket } from '../picket.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'picket-lint-'));
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin/busybox'), '');
  for (const name of ['sh', 'cat']) symlinkSync('busybox', join(root, 'bin', name));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const policy = (spec: string, kind = 'KubeArmorPolicy') => `apiVersion: security.kubearmor.com/v1
kind: ${kind}
metadata: {name: p, namespace: n}
spec:
${spec}
`;
const audit = '  action: Audit\n';
/** One program could be more sources than the kernel side keeps: each directory is one of its own. */
const nested = Array.from(
  { length: limits.MAX_SOURCES + 1 },
  (_, i) => `    - {path: /x${i}, fromSource: [{dir: "${'/d'.repeat(i + 1)}/", recursive: true}]}`,
).join('\n');

/** Every code that files alone can have, with the place where it must stand. */
const rows: [code: string, text: string, place: string][] = [
  ['UnsupportedKind', policy('  {}', 'KubeArmorNetworkPolicy'), '2:7: error'],
  ['UnsupportedField', policy('  apparmor: x'), '5:13: warning'],
  ['InvalidValue', policy('  severity: 11'), '5:13: error'],
  ['UnknownName', policy('  syscalls: {matchSyscalls: [{syscall: [unlink, unlnik]}]}'), '5:49: error'],
  ['UnknownName', policy('  presets: [{name: exec}, {name: exce}]'), '5:34: error'],
  ['UnknownField', policy('  file:\n    matchPaths:\n    - {path: /a, execname: b}'), '7:18: warning'],
  ['ActionIgnored', policy('  syscalls: {matchSyscalls: [{syscall: [unlink], action: Allow}]}'), '5:58: warning'],
  ['SyscallNotHere', policy('  syscalls: {matchSyscalls: [{syscall: [create_module]}]}'), '5:41: warning'],
  ['NoPathInCall', policy('  syscalls: {matchPaths: [{path: /a, syscall: [getpid]}]}'), '5:48: warning'],
  ['NormalisedValue', policy('  file:\n    matchDirectories:\n    - dir: /a'), '7:12: info'],
  ['SharedTarget', policy(`${audit}  process:\n    matchPaths:\n    - path: /bin/sh`), '8:7: warning'],
  ['TargetMissing', policy(`${audit}  file:\n    matchPaths:\n    - path: /nowhere`), '8:7: info'],
  ['NotCovered', policy('  capabilities:\n    matchCapabilities:\n    - capability: kill'), '7:7: warning'],
  ['NotCovered', policy('  presets:\n  - name: filelessExec\n  - name: protectProc'), '7:5: warning'],
  ['Renamable', policy('  file:\n    matchPaths:\n    - path: /a/b'), '7:7: info'],
  ['NoRules', policy('  file: {matchPaths: []}'), '5:3: warning'],
  ['LoadFailed', policy(`  file:\n    matchPaths:\n${nested}`), `${7 + limits.MAX_SOURCES}:7: error`],
];

const lint = (text: string): string[] =>
  readPolicies(text, 'f.yaml').flatMap(({ policy, diagnostics }) =>
    [...diagnostics, ...(policy ? lintPolicy(policy, { backend: 'tracepoint', root }) : [])].map(formatDiagnostic),
  );

describe('lintPolicy()', () => {
  it.each(rows)('%s, with line and column', (code, text, place) => {
    expect(lint(text).join('\n')).toContain(`f.yaml:${place} ${code} `);
  });

  it('the table has every code that needs no running agent', () => {
    const running = ['InvalidAnnotation', 'NoWorkload'];
    const codes = new Set(rows.map(([code]) => code));
    expect(Object.keys(diagnosticLevels).filter((code) => !codes.has(code))).toEqual(running);
  });

  it('says nothing of a policy in which there is nothing to say', () => {
    expect(lint(policy(`${audit}  file:\n    matchPaths:\n    - path: /bin/busybox`)).join('\n')).not.toMatch(
      /error|LoadFailed|Shared|Missing|Renam/,
    );
  });

  it('needs neither a backend nor a root', () => {
    const [reading] = readPolicies(policy(`${audit}  file:\n    matchPaths:\n    - path: /nowhere`), 'f.yaml');
    expect(reading?.policy && lintPolicy(reading.policy, {})).toEqual([]);
  });
});

describe('picket policy lint', () => {
  it.each([
    [0, 'warning', policy('  apparmor: x')],
    [0, 'info', policy('  file: {matchDirectories: [{dir: /a}]}')],
    [1, 'error', policy('  presets: [{name: exec}, {name: exce}]')],
    [1, 'error', policy(`  file:\n    matchPaths:\n${nested}`)],
  ])('ends with %i where the worst is of level %s', async (status, level, text) => {
    const file = join(root, 'f.yaml');
    writeFileSync(file, text);
    const answer = await picket(['policy', 'lint', file]);
    expect(answer).toMatchObject({ status, stderr: '' });
    expect(answer.stdout).toContain(` ${level} `);
  });

  it('takes a root, and says when there is none', async () => {
    const file = join(root, 'f.yaml');
    writeFileSync(file, policy(`${audit}  file: {matchPaths: [{path: /nowhere}]}`));
    const { stdout } = await picket(['policy', 'lint', '--root', root, '--backend', 'tracepoint', file]);
    expect(stdout).toMatch(/NotCovered .*\n.*TargetMissing .*\n1 policy, 0 that would not be loaded\n$/);
    expect(await picket(['policy', 'lint', '--root', '/nowhere', file])).toEqual({
      ...{ status: 2, stdout: '', stderr: 'picket: --root /nowhere: found no folder there\n' },
    });
  });
});

describe('repetitions()', () => {
  it('finds policies that stand twice, whatever stands between; other kinds and namespaces are others', () => {
    const one = policy('  {}');
    const texts: [string, string][] = [
      ['a.yaml', one],
      ['b.yaml', `${policy('  {}', 'KubeArmorClusterPolicy')}---\n${one.replace('namespace: n', 'namespace: m')}`],
      ['c.yaml', `${one.replace('{}', '{severity: 0}')}---\n${one}`],
      ['d.yaml', one],
    ];
    const readings = texts.flatMap(([file, text]) => readPolicies(text, file));
    expect(repetitions(readings).map(formatRepetition)).toEqual([
      'c.yaml:7:1: KubeArmorPolicy n/p stands at a.yaml:1:1 as well: the last one replaces the others as a whole',
      'd.yaml:1:1: KubeArmorPolicy n/p stands at c.yaml:7:1 as well: the last one replaces the others as a whole',
    ]);
  });
});
