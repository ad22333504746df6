import { describe, expect, it } from 'vitest';
import { type Access, explain } from '../../../../agent/policy/explain/explain.ts';
import type { Policy } from '../../../../agent/policy/rule.ts';
import { type Settings, settingsSchema } from '../../../../agent/policy/settings.ts';
import type { Spellings } from '../../../../agent/policy/spelling.ts';
import { accepted, ksp, workload } from '../objects.ts';

const open = (path: string, more: Partial<Access> = {}): Access => ({
  category: 'file',
  thing: { kind: 'path', path, isProgram: false },
  program: '/usr/bin/cat',
  change: false,
  write: false,
  owner: true,
  terminal: false,
  args: [],
  ...more,
});
const exec = (path: string, more: Partial<Access> = {}): Access =>
  open(path, { category: 'process', thing: { kind: 'path', path, isProgram: true }, program: '/bin/sh', ...more });

interface World {
  spellings?: Spellings;
  settings?: Partial<Settings>;
  annotations?: Record<string, string>;
}

function explained(specs: readonly unknown[], access: Access, { spellings, settings, annotations }: World = {}) {
  const policies: Policy[] = specs.map((spec, i) => accepted(ksp(spec, { name: `p${i}` })));
  const record = workload({ annotations: annotations ?? {} });
  return explain(policies, record, settingsSchema.parse(settings ?? {}), spellings ?? new Map(), access);
}

const block = (file: unknown) => ({ action: 'Block', file });
const paths = (...list: string[]) => ({ matchPaths: list.map((path) => ({ path })) });
const dirs = (dir: string, more: object = {}) => ({ matchDirectories: [{ dir, ...more }] });

describe('explain()', () => {
  it('names the rule that decides, its spelling, and why a less specific one does not', () => {
    const { verdict, reason, rules } = explained(
      [{ action: 'Audit', file: dirs('/etc/', { recursive: true }) }, block(paths('/etc/shadow', '/other'))],
      open('/etc/shadow'),
    );
    expect(verdict).toBe('deny');
    expect(reason).toBe('p1 spec.file.matchPaths[0] decides (Block).');
    expect(rules).toMatchObject([
      { policy: 'p1', decides: true, object: 'exact path', spelling: '/etc/shadow', result: 'deny' },
      {
        policy: 'p0',
        decides: false,
        result: 'alert',
        lost: 'its object is less specific (directory /etc, against exact path /etc/shadow)',
      },
      { policy: 'p1', path: 'spec.file.matchPaths[1]', decides: false, lost: 'it is about something else' },
    ]);
    expect(rules[2]).not.toHaveProperty('result');
  });

  it('compares sources before objects, and leaves out rules for other sources', () => {
    const { reason, rules } = explained(
      [
        block(paths('/f')),
        {
          action: 'Audit',
          file: { matchDirectories: [{ dir: '/', recursive: true, fromSource: [{ dir: '/usr/bin/' }] }] },
        },
        block({ matchPaths: [{ path: '/f', fromSource: [{ path: '/bin/dd' }] }] }),
      ],
      open('/f'),
    );
    expect(reason).toContain('p1');
    expect(rules.map(({ lost }) => lost)).toEqual([
      undefined,
      'its source is less specific (any source, against directory /usr/bin)',
      'it is about other sources',
    ]);
  });

  it('tells equals apart: the stronger result, then the severity, then the name', () => {
    const audit = (severity: number) => ({ action: 'Audit', severity, file: paths('/f') });
    expect(
      explained([audit(9), block(paths('/f')), audit(5), audit(9)], open('/f')).rules.map(({ policy, lost }) => [
        policy,
        lost,
      ]),
    ).toEqual([
      ['p1', undefined],
      ['p0', 'equally specific, but deny is stronger than alert'],
      ['p3', 'equally specific, but deny is stronger than alert'],
      ['p2', 'equally specific, but deny is stronger than alert'],
    ]);
    expect(
      explained([audit(5), audit(9), audit(9)], open('/f')).rules.map(({ policy, lost }) => [policy, lost]),
    ).toEqual([
      ['p1', undefined],
      ['p2', 'says the same, and comes later'],
      ['p0', 'says the same with a lower severity (5)'],
    ]);
  });

  it('matches by every spelling, globs by their directory’s', () => {
    const spellings = new Map([
      ['/bin/sh', ['/bin/sh', '/usr/bin/dash']],
      ['/bin', ['/bin', '/usr/bin']],
    ]);
    const process = (list: object) => ({ action: 'Block', process: list });
    expect(explained([process(paths('/bin/sh'))], exec('/usr/bin/dash'), { spellings }).rules[0]).toMatchObject({
      decides: true,
      spelling: '/usr/bin/dash',
    });
    expect(
      explained([process({ matchPatterns: [{ pattern: '/bin/d*' }] })], exec('/usr/bin/dash'), { spellings }).rules[0],
    ).toMatchObject({ decides: true, object: 'glob', spelling: '/usr/bin/d*' });
    expect(explained([process({ matchPaths: [{ execname: 'dash' }] })], exec('/usr/bin/dash')).verdict).toBe('deny');
  });

  it('explains qualifiers, allow-lists, the baseline and postures', () => {
    const allow = (file: unknown) => ({ action: 'Allow', file });
    const listed = [allow({ matchPaths: [{ path: '/f', readOnly: true }] })];
    expect(explained(listed, open('/f'))).toMatchObject({
      verdict: 'pass',
      reason: 'p0 spec.file.matchPaths[0] decides (Allow).',
    });
    expect(explained(listed, open('/f', { change: true }))).toMatchObject({
      verdict: 'deny',
      reason: 'p0 spec.file.matchPaths[0] does not allow it, and the posture is block (DefaultPosture).',
    });
    expect(explained(listed, open('/g')).reason).toBe('No rule allows it, and the posture is block (DefaultPosture).');
    expect(explained(listed, open('/g'), { settings: { defaultFilePosture: 'audit' } }).verdict).toBe('alert');
    expect(explained(listed, open('/usr/lib/x')).reason).toContain('baseline');
    expect(explained(listed, open('/usr/lib/x', { change: true })).verdict).toBe('deny');
    expect(explained(listed, open('/dev/null', { change: true, write: true })).verdict).toBe('pass');
    expect(explained(listed, open('/dev/null', { change: true })).verdict).toBe('deny'); // to remove it is no write
    expect(explained(listed, open('/usr/lib/x'), { settings: { fileBaseline: 'off' } }).verdict).toBe('deny');
    expect(explained([block(paths('/f'))], open('/g')).reason).toContain('no allow-list');
  });

  it('says when refusals pass, or nothing is judged', () => {
    const annotations = (value: string) => ({ annotations: { 'kubearmor-policy': value } });
    expect(explained([block(paths('/f'))], open('/f'), annotations('audited'))).toMatchObject({ verdict: 'alert' });
    expect(explained([block(paths('/f'))], open('/f'), annotations('disabled')).verdict).toBe('pass');
  });

  it('knows sockets, domains, capabilities and system calls', () => {
    const network = {
      action: 'Block',
      network: { matchProtocols: [{ protocol: 'tcp' }, { protocol: 'all', action: 'Audit' }] },
    };
    const socket = (...names: string[]) => open('', { category: 'network', thing: { kind: 'socket', names } });
    expect(explained([network], socket('tcp', 'stream', 'all')).verdict).toBe('deny');
    expect(explained([network], socket('udp', 'dgram', 'all')).verdict).toBe('alert');
    const dns = {
      action: 'Block',
      network: { matchDNSQueries: [{ domain: 'example.org' }, { domain: 'www.example.org', action: 'Audit' }] },
    };
    const question = (domain: string) => open('', { category: 'dns', thing: { kind: 'domain', domain } });
    expect(explained([dns], question('a.www.example.org')).verdict).toBe('alert');
    expect(explained([dns], question('ftp.example.org')).verdict).toBe('deny');
    expect(explained([dns], question('notexample.org')).verdict).toBe('pass');
    const capability = { action: 'Block', capabilities: { matchCapabilities: [{ capability: 'net_raw' }] } };
    expect(
      explained([capability], open('', { category: 'capabilities', thing: { kind: 'capability', name: 'net_raw' } }))
        .verdict,
    ).toBe('deny');
    const calls = {
      syscalls: {
        matchPaths: [{ path: '/home/', syscall: ['rmdir'], recursive: true }],
        matchSyscalls: [{ syscall: ['rmdir'] }],
      },
    };
    const call = (path?: string) => open('', { category: 'syscalls', thing: { kind: 'call', name: 'rmdir', path } });
    expect(explained([calls], call('/home/a')).rules.map(({ path }) => path)).toEqual([
      'spec.syscalls.matchPaths[0]',
      'spec.syscalls.matchSyscalls[0]',
    ]);
    expect(explained([calls], call()).rules[0]).toMatchObject({
      path: 'spec.syscalls.matchSyscalls[0]',
      decides: true,
    });
  });

  it('takes a program whose source is not known for no source of any rule', () => {
    const spec = block({ matchPaths: [{ path: '/f', fromSource: [{ dir: '/', recursive: true }] }] });
    expect(explained([spec], open('/f', { program: undefined })).verdict).toBe('pass');
    expect(explained([spec], open('/f')).verdict).toBe('deny');
  });
});
