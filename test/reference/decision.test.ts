import { describe, expect, it } from 'vitest';
import { type Access, type Decision, decide, type Workload } from './decision.ts';
import type { WrittenCategory, WrittenPolicy, WrittenRule } from './written.ts';

/** Tables of the policy language, typed off by hand. */

const workload: Workload = {
  ...{ namespace: 'demo', labels: { app: 'web' }, container: 'main', baseline: true, mode: 'enabled' },
  postures: { file: 'block', network: 'block', capabilities: 'block' },
  spellings: (path) => [path],
};

function policy(spec: WrittenPolicy['spec'], name = 'p', kind = 'KubeArmorPolicy'): WrittenPolicy {
  const metadata = kind === 'KubeArmorPolicy' ? { name, namespace: 'demo' } : { name };
  return { apiVersion: 'security.kubearmor.com/v1', kind, metadata, spec };
}

const fileAccess = (path: string, more: Partial<Access> = {}): Access => ({
  ...{ category: 'file', path, change: false, owner: false, terminal: false, source: '/bin/actor' },
  ...more,
});
const processAccess = (path: string, more: Partial<Access> = {}): Access => ({
  ...{ category: 'process', path, owner: false, terminal: false, source: '/bin/parent', args: [] },
  ...more,
});

/** In the words of section 13. */
function words({ verdict, policy: by }: Decision): string {
  return by === 'DefaultPosture' ? 'not allowed' : verdict;
}

const files = (...rules: WrittenRule[]): WrittenPolicy => policy({ file: { matchPaths: rules } });

describe('decide(), section 13: files', () => {
  const table = `
    | Allow | – | pass | pass | pass | pass |
    | Allow | readOnly | pass | not allowed | pass | not allowed |
    | Allow | ownerOnly | pass | pass | not allowed | not allowed |
    | Allow | ownerOnly, readOnly | pass | not allowed | not allowed | not allowed |
    | Audit | – | alert | alert | alert | alert |
    | Audit | readOnly | pass | alert | pass | alert |
    | Audit | ownerOnly | pass | pass | alert | alert |
    | Audit | ownerOnly, readOnly | pass | alert | alert | alert |
    | Block | – | deny | deny | deny | deny |
    | Block | readOnly | pass | deny | pass | deny |
    | Block | ownerOnly | pass | pass | deny | deny |
    | Block | ownerOnly, readOnly | pass | deny | deny | deny |`;
  const columns = [
    { owner: true, change: false },
    { owner: true, change: true },
    { owner: false, change: false },
    { owner: false, change: true },
  ];
  const rows = table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );

  it.for(rows)('%s %s', ([action = '', qualifiers = '', ...cells]) => {
    const rule: WrittenRule = { path: '/f', action };
    if (qualifiers.includes('readOnly')) rule.readOnly = true;
    if (qualifiers.includes('ownerOnly')) rule.ownerOnly = true;
    expect(columns.map((access) => words(decide(workload, [files(rule)], fileAccess('/f', access))))).toEqual(cells);
  });
});

describe('decide(), section 13: programs', () => {
  const qualified = {
    ownerOnly: { rule: { ownerOnly: true }, good: { owner: true }, bad: { owner: false } },
    pts: { rule: { pts: false }, good: { terminal: false }, bad: { terminal: true } },
    allowedArgs: {
      rule: { allowedArgs: ['-v', '-x'] },
      good: { args: ['-x', '-v', '-x'] },
      bad: { args: ['-v', '-q'] },
    },
  } as const;
  const rows = [
    ['Allow', 'pass', 'not allowed'],
    ['Audit', 'pass', 'alert'],
    ['Block', 'pass', 'deny'],
  ].flatMap((row) => Object.keys(qualified).map((name) => [name, ...row] as string[]));

  it.for(rows)('%s %s', ([name, action, good, bad]) => {
    const { rule, ...accesses } = qualified[name as keyof typeof qualified];
    const written = policy({
      process: { matchPaths: [{ path: '/p', action: String(action), ...rule } as WrittenRule] },
    });
    expect(words(decide(workload, [written], processAccess('/p', accesses.good as Partial<Access>)))).toBe(good);
    expect(words(decide(workload, [written], processAccess('/p', accesses.bad as Partial<Access>)))).toBe(bad);
  });

  it('allowedArgs: no arguments pass, arguments that cannot be read do not', () => {
    const written = policy({ process: { matchPaths: [{ path: '/p', allowedArgs: ['-v'] }] } });
    expect(decide(workload, [written], processAccess('/p', { args: [] })).verdict).toBe('pass');
    expect(decide(workload, [written], processAccess('/p', { args: undefined })).verdict).toBe('deny');
  });

  it('pts: true is the same as absent; readOnly means nothing to a program', () => {
    const written = policy({ process: { matchPaths: [{ path: '/p', pts: true, readOnly: true }] } });
    expect(decide(workload, [written], processAccess('/p')).verdict).toBe('deny');
  });
});

describe('decide(), section 14', () => {
  /** From specific to not; each beats all that stand after it. */
  const sources: [name: string, rule: WrittenRule][] = [
    ['path', { fromSource: [{ path: '/usr/bin/actor' }] }],
    ['deep directory', { fromSource: [{ dir: '/usr/bin/' }] }],
    ['directory', { fromSource: [{ dir: '/usr/', recursive: true }] }],
    ['root', { fromSource: [{ dir: '/', recursive: true }] }],
    ['none', {}],
  ];
  const objects: Record<'process' | 'file', [list: keyof WrittenCategory, rule: WrittenRule][]> = {
    file: [
      ['matchPaths', { path: '/a/b/c' }],
      ['matchPatterns', { pattern: '/a/**' }],
      ['matchDirectories', { dir: '/a/b/c/' }],
      ['matchDirectories', { dir: '/a/b/' }],
      ['matchDirectories', { dir: '/a/', recursive: true }],
      ['matchDirectories', { dir: '/', recursive: true }],
    ],
    process: [
      ['matchPaths', { path: '/a/b/c' }],
      ['matchPaths', { execname: 'c' }],
      ['matchPatterns', { pattern: '/a/b/*' }],
      ['matchDirectories', { dir: '/a/b/' }],
      ['matchDirectories', { dir: '/a/', recursive: true }],
    ],
  };

  it.for(['file', 'process'] as const)(
    '%s: source first, then object; what is more specific decides alone',
    (category) => {
      const ranked = sources.flatMap(([, source]) =>
        objects[category].map(([list, object]) => ({ list, rule: { ...object, ...source } })),
      );
      const access = {
        ...(category === 'file' ? fileAccess('/a/b/c') : processAccess('/a/b/c')),
        source: '/usr/bin/actor',
      };
      for (const [index, { list, rule }] of ranked.entries())
        for (const other of ranked.slice(index + 1)) {
          const two = [
            policy({ [category]: { [list]: [{ ...rule, action: 'Allow' }] } }, 'specific'),
            policy({ [category]: { [other.list]: [{ ...other.rule, action: 'Block', severity: 10 }] } }, 'general'),
          ];
          expect(decide(workload, two, access), JSON.stringify([rule, other.rule])).toEqual({ verdict: 'pass' });
          expect(decide(workload, two.toReversed(), access)).toEqual({ verdict: 'pass' });
        }
    },
  );

  it('network: protocol before type before all', () => {
    const rule = (protocol: string, action: string) =>
      policy({ network: { matchProtocols: [{ protocol, action }] } }, protocol);
    const access: Access = {
      category: 'network',
      socket: { family: 2, type: 2, protocol: 1 },
      terminal: false,
      source: '/x',
    };
    expect(
      decide(workload, [rule('icmp', 'Allow'), rule('dgram', 'Block'), rule('all', 'Block')], access).verdict,
    ).toBe('pass');
    expect(
      decide(workload, [rule('dgram', 'Audit'), rule('all', 'Block'), rule('stream', 'Block')], access).policy,
    ).toBe('dgram');
    expect(decide(workload, [rule('all', 'Block')], access).policy).toBe('all');
  });

  it('dns: more labels before fewer', () => {
    const rule = (domain: string, action: string) =>
      policy({ network: { matchDNSQueries: [{ domain, action }] } }, domain);
    const access = (domain: string): Access => ({ category: 'dns', domain, terminal: false, source: '/x' });
    const rules = [rule('example.org', 'Block'), rule('www.example.org', 'Allow')];
    expect(decide(workload, rules, access('WWW.Example.org.')).verdict).toBe('pass');
    expect(decide(workload, rules, access('mail.example.org')).verdict).toBe('deny');
    expect(decide(workload, rules, access('notexample.org')).policy).toBe('DefaultPosture');
    expect(decide(workload, [rules[0] as WrittenPolicy], access('notexample.org')).verdict).toBe('pass');
    expect(decide(workload, rules, access('www.example.org.demo.svc.cluster.local')).verdict).toBe('pass');
  });

  it('the deepest directory decides: a one-level rule rules its own level, the recursive one the rest', () => {
    const directories = [
      policy({
        file: {
          matchDirectories: [
            { dir: '/a/', recursive: true, action: 'Audit' },
            { dir: '/a/b/', action: 'Allow' },
          ],
        },
      }),
    ];
    expect(words(decide(workload, directories, fileAccess('/a/b')))).toBe('pass');
    expect(words(decide(workload, directories, fileAccess('/a/b/c')))).toBe('pass');
    expect(words(decide(workload, directories, fileAccess('/a/b/c/d')))).toBe('alert');
    expect(words(decide(workload, directories, fileAccess('/a')))).toBe('alert');
  });

  const strengths = { deny: 'Block', alert: 'Audit', pass: 'Allow' };
  const equal = Object.entries(strengths).flatMap(([result, action], index) =>
    Object.values(strengths)
      .slice(index)
      .map((other) => [action, other, result] as const),
  );
  it.for(equal)('equal specificity: %s and %s: %s', ([one, other, result]) => {
    for (const rules of [
      [one, other],
      [other, one],
    ]) {
      const two = rules.map((action, index) => policy({ file: { matchPaths: [{ path: '/f', action }] } }, `p${index}`));
      expect(decide(workload, two, fileAccess('/f')).verdict).toBe(result);
    }
  });

  it('of two Allow rules the more generous one counts; a pass is stronger than not allowed', () => {
    const rules = files({ path: '/f', action: 'Allow', readOnly: true }, { path: '/f', action: 'Allow' });
    expect(decide(workload, [rules], fileAccess('/f', { change: true })).verdict).toBe('pass');
    const block = files(
      { path: '/f', action: 'Allow', readOnly: true },
      { path: '/f', action: 'Block', ownerOnly: true },
    );
    expect(decide(workload, [block], fileAccess('/f', { change: true, owner: true })).verdict).toBe('pass');
  });

  it('a qualifier that is not met does not hand the access on', () => {
    const rules = policy({
      file: {
        matchPaths: [{ path: '/a/f', action: 'Allow', readOnly: true }],
        matchDirectories: [{ dir: '/a/', action: 'Allow' }],
      },
    });
    expect(decide(workload, [rules], fileAccess('/a/f', { change: true })).policy).toBe('DefaultPosture');
  });

  it('the alert names: highest severity, policy name, position', () => {
    const named = (...policies: WrittenPolicy[]) => decide(workload, policies, fileAccess('/f'));
    const one = (name: string, severity: number) => policy({ severity, file: { matchPaths: [{ path: '/f' }] } }, name);
    expect(named(one('a', 3), one('b', 5)).policy).toBe('b');
    expect(named(one('b', 5), one('a', 5)).policy).toBe('a');
    expect(named(one('B', 5), one('a', 5)).policy).toBe('B');
    expect(named(files({ path: '/f' }, { path: '/f' }, { path: '/f', severity: 2 })).rule).toBe(
      'spec.file.matchPaths[2]',
    );
    expect(named(files({ path: '/f' }, { path: '/f' })).rule).toBe('spec.file.matchPaths[0]');
  });
});

describe('decide(), section 15', () => {
  const allow = policy({
    action: 'Allow',
    file: { matchPaths: [{ path: '/f' }] },
    process: { matchPaths: [{ path: '/p' }] },
  });

  it('one Allow rule makes an allow-list, whatever its source; Audit and Block do not', () => {
    const others = fileAccess('/other');
    expect(
      decide(workload, [files({ path: '/f', action: 'Allow', fromSource: [{ path: '/x' }] })], others).verdict,
    ).toBe('deny');
    expect(decide(workload, [files({ path: '/f', action: 'Audit' }, { path: '/g' })], others).verdict).toBe('pass');
    expect(
      decide(workload, [allow], { ...others, category: 'network', socket: { family: 2, type: 1, protocol: 0 } })
        .verdict,
    ).toBe('pass');
  });

  it('postures: block denies, audit passes and alerts; process follows file, dns follows network', () => {
    const all = policy({
      action: 'Allow',
      file: { matchPaths: [{ path: '/f' }] },
      process: { matchPaths: [{ path: '/p' }] },
      network: { matchProtocols: [{ protocol: 'udp' }], matchDNSQueries: [{ domain: 'a.b' }] },
      capabilities: { matchCapabilities: [{ capability: 'kill' }] },
    });
    const accesses: Access[] = [
      fileAccess('/other'),
      processAccess('/other'),
      { category: 'network', socket: { family: 2, type: 1, protocol: 6 }, terminal: false, source: '/x' },
      { category: 'dns', domain: 'c.d', terminal: false, source: '/x' },
      { category: 'capabilities', capability: 'chown', terminal: false, source: '/x' },
    ];
    const verdicts = (postures: Workload['postures']) =>
      accesses.map((access) => decide({ ...workload, postures }, [all], access).verdict);
    expect(verdicts({ file: 'block', network: 'audit', capabilities: 'block' })).toEqual([
      'deny',
      'deny',
      'alert',
      'alert',
      'deny',
    ]);
    expect(verdicts({ file: 'audit', network: 'block', capabilities: 'audit' })).toEqual([
      'alert',
      'alert',
      'deny',
      'deny',
      'alert',
    ]);
  });

  const baseline: [path: string, read: string, change: string][] = [
    ...['/lib/x', '/lib32/x', '/lib64/a/b', '/libx32/x', '/usr/lib/x', '/usr/lib32/x', '/usr/lib64/x', '/usr/libx32/x'],
    ...['/usr/local/lib/x', '/etc/ld.so.cache', '/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/ld.so.conf.d/x'],
    ...[
      '/usr/share/locale/x',
      '/etc/locale.alias',
      '/usr/share/zoneinfo/x/y',
      '/etc/localtime',
      '/dev/random',
      '/dev/urandom',
    ],
  ].map((path): [string, string, string] => [path, 'pass', 'deny']);
  baseline.push(
    ...['/dev/null', '/dev/zero', '/dev/full'].map((path): [string, string, string] => [path, 'pass', 'pass']),
  );
  baseline.push(
    ...['/library/x', '/etc/ld.so', '/usr/x', '/dev/tty', '/lib'].map((path): [string, string, string] => [
      path,
      'deny',
      'deny',
    ]),
  );
  it.for(baseline)('start-up baseline: %s', ([path, read, change]) => {
    expect(decide(workload, [allow], fileAccess(path)).verdict).toBe(read);
    expect(decide(workload, [allow], fileAccess(path, { change: true, write: true })).verdict).toBe(change);
    expect(decide(workload, [allow], fileAccess(path, { change: true })).verdict).toBe('deny');
    expect(decide({ ...workload, baseline: false }, [allow], fileAccess(path)).verdict).toBe('deny');
  });

  it('the baseline never overrides a rule', () => {
    const rules = [
      allow,
      policy({ file: { matchPaths: [{ path: '/lib/x' }, { path: '/lib/y', action: 'Allow', ownerOnly: true }] } }, 'q'),
    ];
    expect(decide(workload, rules, fileAccess('/lib/x')).policy).toBe('q');
    expect(decide(workload, rules, fileAccess('/lib/y')).policy).toBe('DefaultPosture');
  });
});

describe('decide(), section 16', () => {
  it('opens made by exec: a Block rule denies, nothing else acts', () => {
    const open = fileAccess('/bin/x', { execOpen: true });
    expect(decide(workload, [files({ path: '/bin/x' })], open).verdict).toBe('deny');
    expect(decide(workload, [files({ path: '/bin/x', action: 'Audit' })], open)).toEqual({ verdict: 'pass' });
    expect(decide(workload, [files({ path: '/f', action: 'Allow' })], open)).toEqual({ verdict: 'pass' });
    expect(decide(workload, [files({ path: '/bin/x', action: 'Allow', ownerOnly: true })], open)).toEqual({
      verdict: 'pass',
    });
  });

  it('entry tasks: their first exec alone is judged', () => {
    const rules = policy({ file: { matchPaths: [{ path: '/f' }] }, process: { matchPaths: [{ path: '/f' }] } });
    expect(decide(workload, [rules], fileAccess('/f', { entry: true })).verdict).toBe('pass');
    expect(decide(workload, [rules], fileAccess('/f', { entry: true, execOpen: true })).verdict).toBe('deny');
    expect(decide(workload, [rules], processAccess('/f', { entry: true })).verdict).toBe('deny');
  });

  it('disabled: nothing is judged; audited: nothing is refused, the alert says what would have been', () => {
    const rules = [files({ path: '/f' }, { path: '/g', action: 'Allow' })];
    const audited: Workload = { ...workload, mode: 'audited' };
    expect(decide({ ...workload, mode: 'disabled' }, rules, fileAccess('/f'))).toEqual({ verdict: 'pass' });
    expect(decide(audited, rules, fileAccess('/f'))).toMatchObject({
      verdict: 'alert',
      action: 'Audit (Block)',
      policy: 'p',
    });
    expect(decide(audited, rules, fileAccess('/h'))).toMatchObject({
      action: 'Audit (Allow)',
      policy: 'DefaultPosture',
    });
  });

  it('a path that is unknown matches no rule; a source that is unknown none with fromSource', () => {
    const rules = [files({ path: '/f', fromSource: [{ dir: '/', recursive: true }] }, { path: '/g' })];
    expect(decide(workload, rules, fileAccess('/f', { source: undefined })).verdict).toBe('pass');
    expect(decide(workload, rules, fileAccess('/g', { source: undefined })).verdict).toBe('deny');
    const everything = policy({ file: { matchDirectories: [{ dir: '/', recursive: true }] } });
    expect(decide(workload, [everything], { ...fileAccess(''), path: undefined }).verdict).toBe('pass');
  });

  it('a preset refuses whatever the rules say', () => {
    const rules = [
      policy({ presets: [{ name: 'filelessExec' }], process: { matchPaths: [{ path: '/p', action: 'Allow' }] } }),
    ];
    expect(decide(workload, rules, processAccess('/p', { presets: ['filelessExec'] })).verdict).toBe('deny');
    expect(decide(workload, rules, processAccess('/p')).verdict).toBe('pass');
  });
});

describe('decide(), sections 2, 4, 6 and 9', () => {
  it('rule, category, spec, default: each level by itself', () => {
    const rules = policy({
      action: 'Audit',
      severity: 4,
      file: { action: 'allow', matchPaths: [{ path: '/f' }, { path: '/g', action: 'BLOCK' }] },
    });
    expect(decide(workload, [rules], fileAccess('/f')).verdict).toBe('pass');
    expect(decide(workload, [rules], fileAccess('/g')).verdict).toBe('deny');
    expect(decide(workload, [files({ path: '/f' })], fileAccess('/f')).verdict).toBe('deny');
  });

  it('a policy covers by namespace, labels, container name and expressions', () => {
    const covering = (selector: WrittenPolicy['spec']['selector'], kind?: string) =>
      decide(
        workload,
        [policy({ selector: selector ?? {}, file: { matchPaths: [{ path: '/f' }] } }, 'p', kind)],
        fileAccess('/f'),
      ).verdict === 'deny';
    expect(covering({})).toBe(true);
    expect(covering({ matchLabels: { app: 'web' } })).toBe(true);
    expect(covering({ matchLabels: { app: 'db' } })).toBe(false);
    expect(covering({ matchLabels: { 'kubearmor.io/container.name': '[other, main]' } })).toBe(true);
    expect(covering({ matchLabels: { 'kubearmor.io/container.name': '[other,,]' } })).toBe(false);
    expect(covering({ matchLabels: { 'kubearmor.io/container.name': '[]' } })).toBe(true);
    expect(covering({ matchExpressions: [{ key: 'label', operator: 'In', values: ['app=db', 'app=web'] }] })).toBe(
      true,
    );
    expect(covering({ matchExpressions: [{ key: 'label', operator: 'NotIn', values: ['app=db', 'app=web'] }] })).toBe(
      false,
    );
    expect(
      covering(
        { matchExpressions: [{ key: 'namespace', operator: 'In', values: ['demo'] }] },
        'KubeArmorClusterPolicy',
      ),
    ).toBe(true);
    expect(
      covering(
        { matchExpressions: [{ key: 'namespace', operator: 'NotIn', values: ['demo'] }] },
        'KubeArmorClusterPolicy',
      ),
    ).toBe(false);
  });

  it('a path matches as written and as resolved; a terminal as /pts/N too', () => {
    const linked: Workload = { ...workload, spellings: (path) => (path === '/bin/x' ? [path, '/usr/bin/x'] : [path]) };
    expect(decide(linked, [files({ path: '/bin/x' })], fileAccess('/usr/bin/x')).verdict).toBe('deny');
    expect(decide(linked, [files({ path: '/bin/x' })], fileAccess('/bin/x')).verdict).toBe('deny');
    expect(decide(linked, [files({ path: '/usr/bin/x' })], fileAccess('/bin/x')).verdict).toBe('pass');
    expect(decide(workload, [files({ path: '/pts/3' })], fileAccess('/dev/pts/3')).verdict).toBe('deny');
    expect(decide(workload, [files({ path: '/dev/pts/3' })], fileAccess('/dev/pts/3')).verdict).toBe('deny');
  });

  it('the directories before the first glob character of a pattern are resolved', () => {
    const linked: Workload = { ...workload, spellings: (path) => (path === '/bin' ? [path, '/usr/b*n'] : [path]) };
    const rules = [policy({ file: { matchPatterns: [{ pattern: '/bin/*.so' }] } })];
    expect(decide(linked, rules, fileAccess('/usr/b*n/x.so')).verdict).toBe('deny');
    expect(decide(linked, rules, fileAccess('/usr/bin/x.so')).verdict).toBe('pass');
  });

  const sockets: [names: string, family: number, type: number, protocol: number][] = [
    ['tcp stream all', 2, 1, 0],
    ['tcp stream all', 10, 1, 262],
    ['stream all sctp', 2, 1, 132],
    ['udp dgram all', 10, 2, 136],
    ['icmp dgram all', 2, 2, 1],
    ['icmp raw all', 2, 3, 1],
    ['icmpv6 raw all', 10, 3, 58],
    ['raw all', 10, 3, 1],
    ['packet raw all', 17, 3, 768],
    ['packet dgram all', 17, 2, 0],
    ['seqpacket sctp all', 2, 5, 132],
    ['', 1, 1, 0],
    ['', 1, 3, 0],
    ['', 16, 3, 0],
    ['stream all', 40, 1, 0],
  ];
  const names = [
    'tcp',
    'udp',
    'icmp',
    'icmpv6',
    'sctp',
    'packet',
    'raw',
    'stream',
    'dgram',
    'rdm',
    'seqpacket',
    'dccp',
    'all',
  ];
  it.for(sockets)('a socket answers to: %s (%i, %i, %i)', ([expected, family, type, protocol]) => {
    const access: Access = { category: 'network', socket: { family, type, protocol }, terminal: false, source: '/x' };
    const matched = names.filter(
      (name) =>
        decide(workload, [policy({ network: { matchProtocols: [{ protocol: name }] } })], access).verdict === 'deny',
    );
    expect(matched.sort()).toEqual(expected.split(' ').filter(Boolean).sort());
  });

  it.for([
    [1, 'pass'],
    [16, 'pass'],
    [2, 'deny'],
    [17, 'deny'],
  ] as const)('a posture of block on a raw socket of family %i: %s', ([family, verdict]) => {
    const allow = policy({ action: 'Allow', network: { matchProtocols: [{ protocol: 'udp' }] } });
    const socket = { family, type: 3, protocol: 0 };
    expect(decide(workload, [allow], { category: 'network', socket, terminal: false, source: '/x' }).verdict).toBe(
      verdict,
    );
  });

  it('lists in one string are a rule each; capability names in any case, with and without prefix', () => {
    const rules = [
      policy({
        network: { matchProtocols: [{ protocol: 'udp,tcp' }] },
        capabilities: { matchCapabilities: [{ capability: 'CAP_Kill, chown' }] },
      }),
    ];
    const capability = (name: string) =>
      decide(workload, rules, { category: 'capabilities', capability: name, terminal: false, source: '/x' }).verdict;
    expect([capability('kill'), capability('chown'), capability('setuid')]).toEqual(['deny', 'deny', 'pass']);
    const access: Access = {
      category: 'network',
      socket: { family: 2, type: 1, protocol: 0 },
      terminal: false,
      source: '/x',
    };
    expect(decide(workload, rules, access).verdict).toBe('deny');
  });
});

describe('decide(), section 11', () => {
  const call = (syscall: string, path?: string): Access => ({
    category: 'syscalls',
    syscall,
    path,
    terminal: false,
    source: '/x',
  });
  const syscalls = (rule: WrittenRule, list: 'matchSyscalls' | 'matchPaths' = 'matchPaths') =>
    policy({ action: 'Block', syscalls: { [list]: [{ syscall: ['unlink', 'rmdir'], ...rule }] } });

  it('audits whatever the action says', () => {
    expect(decide(workload, [syscalls({}, 'matchSyscalls')], call('unlink'))).toMatchObject({
      verdict: 'alert',
      action: 'Audit',
    });
    expect(decide(workload, [syscalls({}, 'matchSyscalls')], call('rename')).verdict).toBe('pass');
  });

  it('path of a file; directory with and without recursive', () => {
    const matched = (rule: WrittenRule) =>
      ['/home', '/home/a', '/home/a/b', '/homes'].filter(
        (path) => decide(workload, [syscalls(rule)], call('rmdir', path)).verdict === 'alert',
      );
    expect(matched({ path: '/home/a' })).toEqual(['/home/a']);
    expect(matched({ path: '/home/' })).toEqual(['/home']);
    expect(matched({ path: '/home/', recursive: true })).toEqual(['/home', '/home/a', '/home/a/b']);
    expect(matched({ path: '/home', recursive: true })).toEqual(['/home', '/home/a', '/home/a/b']);
    expect(decide(workload, [syscalls({ path: '/home' })], call('rmdir')).verdict).toBe('pass');
  });
});
