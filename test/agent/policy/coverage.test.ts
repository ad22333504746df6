import { describe, expect, it } from 'vitest';
import { gapsOf, maxDepth } from '../../../agent/policy/coverage.ts';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import type { Policy } from '../../../agent/policy/rule.ts';
import { ksp } from './objects.ts';

describe('refuseUncovered()', () => {
  it('lets every category pass, and paths as deep as the kernel walks', () => {
    const object = ksp({
      action: 'Audit',
      file: { matchPaths: [{ path: '/a'.repeat(maxDepth) }] },
      network: { matchProtocols: [{ protocol: 'tcp' }], matchDNSQueries: [{ domain: 'a.b' }] },
      capabilities: { matchCapabilities: [{ capability: 'kill' }] },
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

  it.each([
    ['network', { network: { matchProtocols: [{ protocol: 'packet' }] } }, /listen, accept/],
    ['capabilities', { capabilities: { matchCapabilities: [{ capability: 'kill' }] } }, /does not judge/],
  ])('says what the tracepoint backend does not judge of %s', (category, spec, message) => {
    expect(gapsOf(policyWith(spec), 'tracepoint')).toMatchObject([
      {
        policy: 'p',
        code: 'NotCovered',
        level: 'warning',
        field: `spec.${category}`,
        message: expect.stringMatching(message),
      },
    ]);
    expect(gapsOf(policyWith({ network: { matchDNSQueries: [{ domain: 'a.b' }] } }), 'tracepoint')).toEqual([]);
  });

  it("says that the tracepoint backend does not judge the sockets of the node's own tasks", () => {
    const policy: Policy = {
      ...policyWith({ network: { matchDNSQueries: [{ domain: 'a.b' }] } }),
      kind: 'KubeArmorHostPolicy',
    };
    expect(gapsOf(policy, 'tracepoint')).toMatchObject([
      { code: 'NotCovered', field: 'spec.network', message: expect.stringContaining('own tasks') },
    ]);
    expect(gapsOf(policy, 'lsm')).toEqual([]);
  });

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
