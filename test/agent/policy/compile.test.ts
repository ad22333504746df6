import { describe, expect, it } from 'vitest';
import { CompileError, compile } from '../../../agent/policy/compile.ts';
import { maxDepth } from '../../../agent/policy/coverage.ts';
import { encode } from '../../../agent/policy/encode.ts';
import type { Policy } from '../../../agent/policy/rule.ts';
import { type Settings, settingsSchema } from '../../../agent/policy/settings.ts';
import { rulePaths } from '../../../agent/policy/spelling.ts';
import type { WorkloadRecord } from '../../../agent/workload/workload.ts';
import { KernelRuleSet } from './kernel.ts';
import { accepted, csp, ksp, workload } from './objects.ts';
import type { Access } from './reference.ts';

const key = { name: 2n ** 60n + 3n, path: 2n ** 60n + 7n };

interface Place {
  record?: WorkloadRecord;
  settings?: Partial<Settings>;
  spellings?: Record<string, string[]>;
}

function compiled(policies: Policy[], { record = workload(), settings = {}, spellings = {} }: Place = {}) {
  const paths = policies.flatMap(({ rules }) => rules.flatMap(rulePaths));
  return compile(
    policies,
    record,
    settingsSchema.parse(settings),
    new Map(paths.map((path) => [path, spellings[path] ?? [path]])),
  );
}

/** What the kernel answers to an access: verdict and who is named. */
function asked(policies: Policy[], access: Partial<Access> & { path: string }, place: Place = {}): string {
  const kernel = new KernelRuleSet(encode(compiled(policies, place), key), key);
  const { verdict, by } = kernel.decide({
    category: 'file',
    change: false,
    owner: true,
    terminal: false,
    source: '/bin/cat',
    ...access,
  });
  return by === undefined ? verdict : `${verdict} by ${by}`;
}

const files = (file: unknown, name = 'p', rest: object = {}) => accepted(ksp({ ...rest, file }, { name }));
const [paths, dirs] = ['spec.file.matchPaths', 'spec.file.matchDirectories'];

describe('compile() obeys precedence (section 14)', () => {
  const nested = files({
    matchDirectories: [
      { dir: '/c/', recursive: true, action: 'Block' },
      { dir: '/c/keys/', action: 'Allow' },
    ],
  });

  it.each([
    ['/c/password', `deny by p ${dirs}[0]`],
    ['/c', `deny by p ${dirs}[0]`],
    ['/c/keys', 'pass'],
    ['/c/keys/k', 'pass'],
    ['/c/keys/old/x', `deny by p ${dirs}[0]`],
    ['/d', 'deny by DefaultPosture'],
  ])('a one-level rule inside a recursive one rules its own level: %s', (path, expected) => {
    expect(asked([nested], { path })).toBe(expected);
  });

  const three = files({
    matchDirectories: [
      { dir: '/a/', recursive: true, action: 'Block' },
      { dir: '/a/b/', recursive: true, action: 'Allow' },
      { dir: '/a/b/c/', recursive: true, action: 'Block' },
    ],
  });

  it.each([
    ['/a/f', `deny by p ${dirs}[0]`],
    ['/a/b/f', 'pass'],
    ['/a/b/d/e/f', 'pass'],
    ['/a/b/c/f', `deny by p ${dirs}[2]`],
    ['/a/b/c/d/e', `deny by p ${dirs}[2]`],
  ])('the deepest of three decides: %s', (path, expected) => {
    expect(asked([three], { path })).toBe(expected);
  });

  it('an exact path beats a directory', () => {
    const policy = files({
      matchDirectories: [{ dir: '/c/', recursive: true, action: 'Block' }],
      matchPaths: [{ path: '/c/p', action: 'Audit' }],
    });
    expect(asked([policy], { path: '/c/p' })).toBe(`alert by p ${paths}[0]`);
    expect(asked([policy], { path: '/c/q' })).toBe(`deny by p ${dirs}[0]`);
  });

  it('a path rule and a directory rule of one name share an entry and stay apart', () => {
    const policy = files({
      matchDirectories: [{ dir: '/a/b/', action: 'Block' }],
      matchPaths: [{ path: '/a/b', action: 'Audit' }],
    });
    expect(compiled([policy]).entries).toHaveLength(1);
    expect(asked([policy], { path: '/a/b' })).toBe(`alert by p ${paths}[0]`);
    expect(asked([policy], { path: '/a/b/c' })).toBe(`deny by p ${dirs}[0]`);
  });

  it('the depth is that of the spelling that matched', () => {
    const policy = files({
      matchDirectories: [
        { dir: '/bin/', action: 'Audit' },
        { dir: '/usr/', recursive: true, action: 'Block' },
      ],
    });
    expect(asked([policy], { path: '/usr/bin/x' }, { spellings: { '/bin': ['/bin', '/usr/bin'] } })).toBe(
      `alert by p ${dirs}[0]`,
    );
  });

  it('an exception that is not met does not hand the access on', () => {
    const policy = files({
      matchDirectories: [{ dir: '/c/', action: 'Block' }],
      matchPaths: [{ path: '/c/p', readOnly: true, action: 'Block' }],
    });
    expect(asked([policy], { path: '/c/p' })).toBe('pass');
    expect(asked([policy], { path: '/c/p', change: true })).toBe(`deny by p ${paths}[0]`);
  });

  it('categories do not influence each other', () => {
    const policy = accepted(
      ksp({ process: { matchPaths: [{ path: '/x', action: 'Allow' }] }, file: { matchPaths: [{ path: '/x' }] } }),
    );
    expect(asked([policy], { path: '/x', category: 'process' })).toBe('pass');
    expect(asked([policy], { path: '/x' })).toBe(`deny by p ${paths}[0]`);
    expect(asked([policy], { path: '/y', category: 'process' })).toBe('deny by DefaultPosture');
    expect(asked([policy], { path: '/y' })).toBe('pass');
  });

  it('kind gives no rank; two of one name are told apart', () => {
    const spec = { file: { matchPaths: [{ path: '/x' }] } };
    expect(asked([accepted(csp(spec)), accepted(ksp(spec))], { path: '/x' })).toBe(`deny by p ${paths}[0]`);
    expect(compiled([accepted(ksp(spec)), accepted(csp(spec))]).rules.map(({ kind }) => kind)).toEqual([
      'KubeArmorClusterPolicy',
      'KubeArmorPolicy',
    ]);
  });

  it('Block over Audit over Allow, and the more generous of two Allow rules, over policies', () => {
    const allow = files({ matchPaths: [{ path: '/s' }] }, 'a', { action: 'Allow', severity: 9 });
    const narrow = files({ matchPaths: [{ path: '/s', readOnly: true }] }, 'b', { action: 'Allow' });
    const audit = files({ matchPaths: [{ path: '/s' }] }, 'c', { action: 'Audit' });
    const block = files({ matchPaths: [{ path: '/s' }] }, 'd');
    expect(asked([allow, narrow, audit, block], { path: '/s' })).toBe(`deny by d ${paths}[0]`);
    expect(asked([audit, allow, narrow], { path: '/s' })).toBe(`alert by c ${paths}[0]`);
    expect(asked([narrow, allow], { path: '/s', change: true })).toBe('pass');
    expect(asked([narrow], { path: '/s', change: true })).toBe('deny by DefaultPosture');
  });

  it('of two Block rules the higher severity is named', () => {
    const low = files({ matchPaths: [{ path: '/s' }] }, 'low', { severity: 2 });
    const high = files({ matchPaths: [{ path: '/s' }] }, 'zhigh', { severity: 9 });
    expect(asked([low, high], { path: '/s' })).toBe(`deny by zhigh ${paths}[0]`);
  });
});

describe('compile() obeys allow-lists, posture and baseline (section 15)', () => {
  const allow = files({ matchPaths: [{ path: '/s' }] }, 'p', { action: 'Allow' });
  const audit = files({ matchPaths: [{ path: '/s' }] }, 'p', { action: 'Audit' });

  it('an Audit rule alone opens no list', () => {
    expect(asked([audit], { path: '/other' })).toBe('pass');
  });

  it('an Audit rule inside an allow-list allows with an alert', () => {
    const policy = files({
      matchPaths: [
        { path: '/s', action: 'Audit' },
        { path: '/t', action: 'Allow' },
      ],
    });
    expect(asked([policy], { path: '/s' })).toBe(`alert by p ${paths}[0]`);
    expect(asked([policy], { path: '/u' })).toBe('deny by DefaultPosture');
  });

  it('posture audit passes and alerts', () => {
    const settings = { defaultFilePosture: 'audit' } as const;
    expect(asked([allow], { path: '/other' }, { settings })).toBe('alert by DefaultPosture');
  });

  it('an annotation wins, for file and process', () => {
    const record = workload({ namespaceAnnotations: { 'kubearmor-file-posture': 'audit' } });
    const process = accepted(ksp({ process: { matchPaths: [{ path: '/s' }] }, action: 'Allow' }));
    expect(asked([allow], { path: '/other' }, { record })).toBe('alert by DefaultPosture');
    expect(asked([process], { path: '/other', category: 'process' }, { record })).toBe('alert by DefaultPosture');
  });

  it.each<[string, boolean, string]>([
    ['/usr/lib/x/y.so', false, 'pass'],
    ['/usr/lib/x/y.so', true, 'deny by DefaultPosture'],
    ['/lib64/ld.so', false, 'pass'],
    ['/etc/ld.so.cache', false, 'pass'],
    ['/etc/ld.so.cache', true, 'deny by DefaultPosture'],
    ['/etc/ld.so.cache/x', false, 'deny by DefaultPosture'],
    ['/etc/ld.so.conf.d/libc.conf', false, 'pass'],
    ['/usr/share/zoneinfo/Europe/Berlin', false, 'pass'],
    ['/etc/localtime', false, 'pass'],
    ['/dev/null', true, 'pass'],
    ['/dev/zero', true, 'pass'],
    ['/dev/full', true, 'pass'],
    ['/dev/random', false, 'pass'],
    ['/dev/urandom', true, 'deny by DefaultPosture'],
    ['/libx', false, 'deny by DefaultPosture'],
    ['/home/lib/x', false, 'deny by DefaultPosture'],
  ])('the start-up baseline: %s, change %s', (path, change, expected) => {
    expect(asked([allow], { path, change, write: change })).toBe(expected);
  });

  it('the baseline lets a device be written, not be removed, renamed or given another mode', () => {
    expect(asked([allow], { path: '/dev/null', change: true })).toBe('deny by DefaultPosture');
  });

  it('the baseline never overrides a rule', () => {
    const block = files({
      matchDirectories: [{ dir: '/usr/lib/vault/', recursive: true, action: 'Block' }],
      matchPaths: [{ path: '/s', action: 'Allow' }],
    });
    expect(asked([block], { path: '/usr/lib/vault/v' })).toBe(`deny by p ${dirs}[0]`);
    const narrow = files({ matchDirectories: [{ dir: '/usr/lib/', recursive: true, ownerOnly: true }] }, 'p', {
      action: 'Allow',
    });
    expect(asked([narrow], { path: '/usr/lib/x', owner: false })).toBe('deny by DefaultPosture');
  });

  it('fileBaseline: off removes it', () => {
    expect(asked([allow], { path: '/usr/lib/x' }, { settings: { fileBaseline: 'off' } })).toBe(
      'deny by DefaultPosture',
    );
  });

  it('without an allow-list there are no baseline entries', () => {
    expect(compiled([audit]).entries).toHaveLength(1);
  });

  it('the process category has no baseline', () => {
    const policy = accepted(ksp({ process: { matchPaths: [{ path: '/s' }] }, action: 'Allow' }));
    expect(asked([policy], { path: '/lib/ld.so', category: 'process' })).toBe('deny by DefaultPosture');
  });
});

describe('compile() obeys annotations (section 18)', () => {
  const block = files({ matchPaths: [{ path: '/s' }] });

  it('audited: nothing is refused, the policy is named', () => {
    const record = workload({ annotations: { 'kubearmor-policy': 'audited' } });
    expect(asked([block], { path: '/s' }, { record })).toBe(`alert by p ${paths}[0]`);
    const allow = files({ matchPaths: [{ path: '/s' }] }, 'p', { action: 'Allow' });
    expect(asked([allow], { path: '/x' }, { record })).toBe('alert by DefaultPosture');
  });

  it('disabled: nothing is judged', () => {
    expect(
      asked([block], { path: '/s' }, { record: workload({ annotations: { 'kubearmor-policy': 'disabled' } }) }),
    ).toBe('pass');
  });

  it('enforcement: audit refuses nothing', () => {
    expect(asked([block], { path: '/s' }, { settings: { enforcement: 'audit' } })).toBe(`alert by p ${paths}[0]`);
  });

  it('hands on what is wrong with an annotation', () => {
    const record = workload({ namespaceAnnotations: { 'kubearmor-file-posture': 'blok' } });
    expect(compiled([block], { record }).diagnostics).toMatchObject([{ code: 'InvalidAnnotation', namespace: 'demo' }]);
  });
});

describe('compile() obeys syscall rules (section 11)', () => {
  const syscalls = (rules: unknown, rest: object = {}) => accepted(ksp({ ...rest, syscalls: rules }));
  const call = (syscall: string, path: string) => ({ category: 'syscalls' as const, syscall, path });
  const everywhere = 'spec.syscalls.matchSyscalls';
  const somewhere = 'spec.syscalls.matchPaths';

  it('a rule without a path reports each of its calls', () => {
    const policy = syscalls({ matchSyscalls: [{ syscall: ['unlink', 'rmdir'] }] }, { action: 'Audit' });
    expect(asked([policy], call('unlink', '/x'))).toBe(`alert by p ${everywhere}[0]`);
    expect(asked([policy], call('rmdir', '/x'))).toBe(`alert by p ${everywhere}[0]`);
    expect(asked([policy], call('unlinkat', '/x'))).toBe('pass');
  });

  it('an action other than Audit makes no difference, and no allow-list', () => {
    for (const action of ['Allow', 'Block']) {
      const policy = syscalls({ matchSyscalls: [{ syscall: ['unlink'] }] }, { action });
      expect(asked([policy], call('unlink', '/x'))).toBe(`alert by p ${everywhere}[0]`);
      expect(asked([policy], call('rmdir', '/x'))).toBe('pass');
    }
  });

  it.each<[object, string, boolean]>([
    [{ path: '/home' }, '/home', true],
    [{ path: '/home' }, '/home/x', false],
    [{ path: '/home/' }, '/home', true],
    [{ path: '/home/' }, '/home/x', false],
    [{ path: '/home/', recursive: true }, '/home', true],
    [{ path: '/home/', recursive: true }, '/home/x', true],
    [{ path: '/home/', recursive: true }, '/home/x/y/z', true],
    [{ path: '/home', recursive: true }, '/home/x/y', true],
    [{ path: '/home/', recursive: true }, '/homes', false],
    [{ path: '/', recursive: true }, '/x/y', true],
    [{ path: '/' }, '/', true],
  ])('%j and %s', (entry, path, matches) => {
    const policy = syscalls({ matchPaths: [{ ...entry, syscall: ['rmdir'] }] });
    expect(asked([policy], call('rmdir', path))).toBe(matches ? `alert by p ${somewhere}[0]` : 'pass');
  });

  it('the exact path beats the deeper directory, that the directory above, that the rule without path', () => {
    const rules = {
      matchSyscalls: [{ syscall: ['unlink'] }],
      matchPaths: [
        { path: '/a/', recursive: true, syscall: ['unlink'] },
        { path: '/a/b/', recursive: true, syscall: ['unlink'] },
        { path: '/a/b/c', syscall: ['unlink'] },
      ],
    };
    expect(asked([syscalls(rules)], call('unlink', '/a/b/c'))).toBe(`alert by p ${somewhere}[2]`);
    expect(asked([syscalls(rules)], call('unlink', '/a/b/d'))).toBe(`alert by p ${somewhere}[1]`);
    expect(asked([syscalls(rules)], call('unlink', '/a/d'))).toBe(`alert by p ${somewhere}[0]`);
    expect(asked([syscalls(rules)], call('unlink', '/d'))).toBe(`alert by p ${everywhere}[0]`);
  });

  it('two rules on one directory are equals at the directory itself', () => {
    const rules = {
      matchPaths: [
        { path: '/a/', syscall: ['rmdir'], severity: 2 },
        { path: '/a/', recursive: true, syscall: ['rmdir'], severity: 8 },
      ],
    };
    expect(asked([syscalls(rules)], call('rmdir', '/a'))).toBe(`alert by p ${somewhere}[1]`);
  });
});

describe('compile()', () => {
  it('takes only the policies that cover the workload', () => {
    const other = accepted(ksp({ file: { matchPaths: [{ path: '/s' }] } }, { namespace: 'other' }));
    const labelled = accepted(ksp({ selector: { matchLabels: { app: 'x' } }, file: { matchPaths: [{ path: '/s' }] } }));
    expect(compiled([other, labelled])).toMatchObject({ entries: [], rules: [], policies: [] });
    expect(compiled([other, labelled], { record: workload({ labels: { app: 'x' } }) }).policies).toEqual([labelled]);
  });

  it('describes each rule for the alerts it makes', () => {
    const policy = accepted(
      ksp(
        { severity: 8, tags: ['A'], message: 'm', file: { matchPaths: [{ path: '/a' }, { path: '/b', severity: 3 }] } },
        { uid: 'u' },
      ),
    );
    expect(compiled([policy]).rules).toEqual([
      {
        category: 'file',
        kind: 'KubeArmorPolicy',
        namespace: 'demo',
        policy: 'p',
        uid: 'u',
        path: `${paths}[0]`,
        action: 'Block',
        severity: 8,
        tags: ['A'],
        message: 'm',
      },
      {
        category: 'file',
        kind: 'KubeArmorPolicy',
        namespace: 'demo',
        policy: 'p',
        uid: 'u',
        path: `${paths}[1]`,
        action: 'Block',
        severity: 3,
        tags: ['A'],
        message: 'm',
      },
    ]);
  });

  it('fails when a path resolves to one that the kernel walk does not reach', () => {
    const policy = files({ matchPaths: [{ path: '/l' }] });
    const deep = '/d'.repeat(maxDepth);
    expect(asked([policy], { path: deep }, { spellings: { '/l': ['/l', deep] } })).toBe(`deny by p ${paths}[0]`);
    expect(() => compiled([policy], { spellings: { '/l': ['/l', `${deep}/d`] } })).toThrow(CompileError);
    try {
      compiled([policy], { spellings: { '/l': ['/l', `${deep}/d`] } });
    } catch (error) {
      expect((error as CompileError).diagnostics).toMatchObject([
        { code: 'LoadFailed', policy: 'p', field: `${paths}[0]` },
      ]);
    }
  });

  it('does not guess the spellings of a path', () => {
    expect(() =>
      compile([files({ matchPaths: [{ path: '/a' }] })], workload(), settingsSchema.parse({}), new Map()),
    ).toThrow('spellings of /a');
  });
});
