import { describe, expect, it } from 'vitest';
import { normalise } from '../../../agent/policy/normalise.ts';
import { Report } from '../../../agent/policy/report.ts';
import { type PolicyObject, policySchemas } from '../../../agent/policy/schema.ts';
import { hsp, ksp } from './objects.ts';

/** Normalises an object that passes the schema, without the question of what is enforced already. */
function normalised(object: Record<string, unknown>) {
  const report = new Report({}, () => undefined);
  const schema = policySchemas[object.kind as keyof typeof policySchemas];
  const policy = normalise(schema.parse(object) as PolicyObject, report);
  return { policy, rules: policy.rules, report };
}

describe('normalise() looks up severity, tags, message and action by themselves', () => {
  const spec = { severity: 2, tags: ['spec'], message: 'of spec', action: 'Audit' };
  const category = { severity: 5, tags: ['category'], message: 'of category', action: 'Block' };
  const rule = { severity: 9, tags: ['rule'], message: 'of rule', action: 'Allow' };
  const defaults = { severity: 1, tags: [], message: '', action: 'Block' };

  for (const key of ['severity', 'tags', 'message', 'action'] as const)
    it.each([
      ['nowhere', {}, {}, {}, defaults[key]],
      ['in spec', { [key]: spec[key] }, {}, {}, spec[key]],
      ['in the category', {}, { [key]: category[key] }, {}, category[key]],
      ['in the rule', {}, {}, { [key]: rule[key] }, rule[key]],
      ['in spec and category', { [key]: spec[key] }, { [key]: category[key] }, {}, category[key]],
      ['in spec and rule', { [key]: spec[key] }, {}, { [key]: rule[key] }, rule[key]],
      ['at all levels', { [key]: spec[key] }, { [key]: category[key] }, { [key]: rule[key] }, rule[key]],
    ])(`${key} set %s`, (_, inSpec, inCategory, inRule, expected) => {
      const { rules } = normalised(
        ksp({ ...inSpec, file: { ...inCategory, matchPaths: [{ path: '/a', ...inRule }] } }),
      );
      expect(rules[0]?.[key]).toEqual(expected);
    });

  it('a severity of the category and the message of the spec', () => {
    const { rules } = normalised(ksp({ ...spec, process: { severity: 7, matchPatterns: [{ pattern: '/a*' }] } }));
    expect(rules[0]).toMatchObject({ severity: 7, message: 'of spec', tags: ['spec'], action: 'Audit' });
  });

  it('an empty list of tags counts as set', () => {
    expect(
      normalised(ksp({ ...spec, file: { matchPaths: [{ path: '/a', tags: [], message: '' }] } })).rules[0],
    ).toMatchObject({ tags: [], message: '' });
  });

  it.each(['block', 'BLOCK', 'Block'])('action %s', (action) => {
    expect(normalised(ksp({ action, file: { matchPaths: [{ path: '/a' }] } })).rules[0]?.action).toBe('Block');
  });

  it('a syscalls rule always audits', () => {
    const { rules, report } = normalised(
      ksp({ action: 'Allow', syscalls: { matchSyscalls: [{ syscall: ['unlink'] }, { syscall: ['rmdir'] }] } }),
    );
    expect(rules.map(({ action }) => action)).toEqual(['Audit', 'Audit']);
    expect(report.diagnostics).toMatchObject([{ code: 'ActionIgnored', field: 'spec.syscalls' }]);
  });

  it('says nothing of an action that nobody wrote', () => {
    expect(normalised(ksp({ syscalls: { matchSyscalls: [{ syscall: ['unlink'] }] } })).report.diagnostics).toEqual([]);
  });

  it('a preset takes its own action only, the rest is inherited', () => {
    const { policy } = normalised(
      ksp({ ...spec, presets: [{ name: 'exec' }, { name: 'protectEnv', action: 'audit', severity: 3 }] }),
    );
    expect(policy.presets).toEqual([
      { name: 'exec', action: 'Block', severity: 2, tags: ['spec'], message: 'of spec', where: 'spec.presets[0]' },
      {
        name: 'protectEnv',
        action: 'Audit',
        severity: 3,
        tags: ['spec'],
        message: 'of spec',
        where: 'spec.presets[1]',
      },
    ]);
  });
});

describe('normalise() makes one flat list of rules', () => {
  it('in order of category, list and index, each with its place', () => {
    const { rules } = normalised(
      ksp({
        syscalls: {
          matchPaths: [{ path: '/a/', recursive: true, syscall: ['rmdir', 'unlink'] }],
          matchSyscalls: [{ syscall: ['unlink'] }],
        },
        capabilities: { matchCapabilities: [{ capability: 'CAP_NET_RAW, Kill' }] },
        network: {
          matchDNSQueries: [{ domain: 'A.example.,b' }],
          matchProtocols: [{ protocol: 'TCP,udp', pts: false }],
        },
        file: {
          matchPatterns: [{ pattern: '/a//*' }],
          matchDirectories: [{ dir: '//d//e' }],
          matchPaths: [{ path: '/a//b' }, { path: '/c' }],
        },
        process: { matchPaths: [{ execname: 'x' }, { path: '/p', allowedArgs: ['-v'], ownerOnly: true, pts: true }] },
      }),
    );
    expect(rules.map(({ category, object, where }) => ({ category, ...object, where }))).toEqual([
      { category: 'process', kind: 'execname', name: 'x', where: 'spec.process.matchPaths[0]' },
      { category: 'process', kind: 'path', path: '/p', where: 'spec.process.matchPaths[1]' },
      { category: 'file', kind: 'path', path: '/a/b', where: 'spec.file.matchPaths[0]' },
      { category: 'file', kind: 'path', path: '/c', where: 'spec.file.matchPaths[1]' },
      { category: 'file', kind: 'dir', path: '/d/e', recursive: false, where: 'spec.file.matchDirectories[0]' },
      { category: 'file', kind: 'glob', pattern: '/a/*', where: 'spec.file.matchPatterns[0]' },
      { category: 'network', kind: 'protocol', protocol: 'tcp', where: 'spec.network.matchProtocols[0]' },
      { category: 'network', kind: 'protocol', protocol: 'udp', where: 'spec.network.matchProtocols[0]' },
      { category: 'dns', kind: 'domain', domain: 'a.example', where: 'spec.network.matchDNSQueries[0]' },
      { category: 'dns', kind: 'domain', domain: 'b', where: 'spec.network.matchDNSQueries[0]' },
      {
        category: 'capabilities',
        kind: 'capability',
        capability: 'net_raw',
        where: 'spec.capabilities.matchCapabilities[0]',
      },
      {
        category: 'capabilities',
        kind: 'capability',
        capability: 'kill',
        where: 'spec.capabilities.matchCapabilities[0]',
      },
      { category: 'syscalls', kind: 'syscall', names: ['unlink'], where: 'spec.syscalls.matchSyscalls[0]' },
      {
        category: 'syscalls',
        kind: 'syscall',
        names: ['rmdir', 'unlink'],
        target: { kind: 'dir', path: '/a', recursive: true },
        where: 'spec.syscalls.matchPaths[0]',
      },
    ]);
    expect(rules[1]?.qualifiers).toEqual({ readOnly: false, ownerOnly: true, noTerminal: false, allowedArgs: ['-v'] });
    expect(rules[6]?.qualifiers).toEqual({ readOnly: false, ownerOnly: false, noTerminal: true });
  });

  it.each([
    [{ path: '/a' }, { kind: 'path', path: '/a' }],
    [{ path: '/a/' }, { kind: 'dir', path: '/a', recursive: false }],
    [
      { path: '/a/', recursive: true },
      { kind: 'dir', path: '/a', recursive: true },
    ],
    [
      { path: '/a', recursive: true },
      { kind: 'dir', path: '/a', recursive: true },
    ],
    [
      { path: '/', recursive: true },
      { kind: 'dir', path: '/', recursive: true },
    ],
  ])('the path of a syscall rule %j', (entry, target) => {
    const { rules } = normalised(ksp({ syscalls: { matchPaths: [{ ...entry, syscall: ['unlink'] }] } }));
    expect(rules[0]?.object).toMatchObject({ target });
  });

  it('with sources, an empty list being none', () => {
    const fromSource = [{ path: '/bin//sh' }, { dir: '/opt/', recursive: true }, { dir: '/x' }];
    const { rules, report } = normalised(
      ksp({
        file: {
          matchPaths: [
            { path: '/a', fromSource },
            { path: '/b', fromSource: [] },
          ],
        },
      }),
    );
    expect(rules[0]?.fromSource).toEqual([
      { kind: 'path', path: '/bin/sh' },
      { kind: 'dir', path: '/opt', recursive: true },
      { kind: 'dir', path: '/x', recursive: false },
    ]);
    expect(rules[1]?.fromSource).toEqual([]);
    expect(report.diagnostics).toMatchObject([
      { code: 'NormalisedValue', field: 'spec.file.matchPaths[0].fromSource[2].dir' },
    ]);
  });

  it('ignores recursive beside the path of a source, and says so', () => {
    const { rules, report } = normalised(
      ksp({ file: { matchPaths: [{ path: '/a', fromSource: [{ path: '/b', recursive: true }] }] } }),
    );
    expect(rules[0]?.fromSource).toEqual([{ kind: 'path', path: '/b' }]);
    expect(report.diagnostics).toMatchObject([
      { code: 'UnknownField', field: 'spec.file.matchPaths[0].fromSource[0].recursive' },
    ]);
  });

  it('leaves out a syscall rule whose names are all unknown', () => {
    const { rules } = normalised(ksp({ syscalls: { matchSyscalls: [{ syscall: ['nope'] }, { syscall: [] }] } }));
    expect(rules).toEqual([]);
  });

  it('accepts every name of the schema and newer calls', () => {
    const syscall = ['read', 'rseq', 'openat2', 'io_uring_setup', 'memfd_secret', 'landlock_add_rule'];
    expect(normalised(ksp({ action: 'Audit', syscalls: { matchSyscalls: [{ syscall }] } })).report.diagnostics).toEqual(
      [],
    );
  });

  it('keeps identity, uid and generation', () => {
    const { policy } = normalised(ksp({}, { name: 'n', namespace: undefined, uid: 'u', generation: 7 }));
    expect(policy).toMatchObject({ kind: 'KubeArmorPolicy', namespace: 'default', name: 'n', uid: 'u', generation: 7 });
    expect(normalised(hsp({ nodeSelector: {} }, { namespace: 'x' })).policy.namespace).toBe('');
  });
});
