import { describe, expect, it } from 'vitest';
import { gapsOf, maxDepth } from '../../../agent/policy/coverage.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import type { Policy } from '../../../agent/policy/rule.ts';
import { ksp } from './objects.ts';

const good = { matchPaths: [{ path: '/a' }] };

describe('a policy that uses what is not enforced yet is refused as a whole', () => {
  it.each<[string, Record<string, unknown>, string]>([
    [
      'network',
      ksp({ file: good, network: { matchProtocols: [{ protocol: 'tcp' }] } }),
      'spec.network.matchProtocols[0]',
    ],
    ['dns', ksp({ network: { matchDNSQueries: [{ domain: 'a.b' }] } }), 'spec.network.matchDNSQueries[0]'],
    [
      'capabilities',
      ksp({ capabilities: { matchCapabilities: [{ capability: 'kill' }] } }),
      'spec.capabilities.matchCapabilities[0]',
    ],
  ])('%s', (_, object, field) => {
    const reading = parsePolicyObject(object);
    expect(reading.policy).toBeUndefined();
    expect(reading.status).toBe('Invalid');
    expect(reading.diagnostics).toMatchObject([
      { code: 'LoadFailed', level: 'error', policy: 'p', field, message: expect.stringContaining('does not enforce') },
    ]);
  });

  it('covers every system call, and paths as deep as the kernel walks', () => {
    const object = ksp({
      action: 'Audit',
      file: { matchPaths: [{ path: '/a'.repeat(maxDepth) }] },
      syscalls: { matchSyscalls: [{ syscall: ['unlink', 'openat', 'getpid'] }] },
    });
    expect(parsePolicyObject(object)).toMatchObject({ status: 'Accepted', diagnostics: [] });
  });
});

describe('gapsOf()', () => {
  const policyWith = (spec: object) =>
    parsePolicyObject({
      apiVersion: 'security.kubearmor.com/v1',
      kind: 'KubeArmorPolicy',
      metadata: { name: 'p', namespace: 'n' },
      spec: { action: 'Block', ...spec },
    }).policy as Policy;

  it('says what the tracepoint backend does not judge of file rules, and nothing of others', () => {
    const [gap, ...more] = gapsOf(policyWith({ file: { matchPaths: [{ path: '/f' }] } }), 'tracepoint');
    expect(gap).toMatchObject({ policy: 'p', code: 'NotCovered', level: 'warning', field: 'spec.file' });
    expect(more).toEqual([]);
    expect(gapsOf(policyWith({ process: { matchPaths: [{ path: '/f' }] } }), 'tracepoint')).toEqual([]);
  });

  it('names the presets that it does not carry out', () => {
    const presets = [{ name: 'filelessExec' }, { name: 'protectProc' }];
    expect(gapsOf(policyWith({ presets }), 'tracepoint').map((gap) => gap.field)).toEqual(['spec.presets[1]']);
  });

  it('finds none in the LSM backend', () => {
    const presets = [{ name: 'anonymousMapExec' }];
    expect(gapsOf(policyWith({ presets, file: { matchPaths: [{ path: '/f' }] } }), 'lsm')).toEqual([]);
  });
});
