import { describe, expect, it } from 'vitest';
import { type Attempt, gatherFacts } from '../../../agent/kernel/facts.ts';
import { machineProbes } from '../../../agent/kernel/probes.ts';
import { missingForKernel, named } from './compile.ts';
import { fakeProbes, goodFacts } from './machine.ts';

const never = (): Attempt => {
  throw new Error('this must not be tried');
};
const noAttempts = {
  tryKernelReads: never,
  tryRing: never,
  tryTaskStorage: never,
  tryLsm: never,
  tryTracepoint: never,
};

describe('gatherFacts()', () => {
  it('reads a good machine', () => expect(gatherFacts(fakeProbes())).toEqual(goodFacts));

  it('asks nothing of a system that is not Linux', () => {
    const refuse = (): never => {
      throw new Error('this must not be asked');
    };
    const probes = { platform: 'darwin', arch: 'arm64', kernel: '24.1.0', readText: refuse, exists: refuse };
    const facts = gatherFacts(fakeProbes({ ...probes, ...noAttempts, loadLibbpf: never }));
    expect(facts).toMatchObject({ platform: 'darwin', kernelTypes: false, libbpf: { kind: 'untried' } });
  });

  it.each([
    ['an ordinary user', { uid: 1000 }, /rights/],
    ['root of a user namespace', { files: { '/proc/self/uid_map': '0 1000 1\n' } }, /rights/],
    ['root without capabilities', { files: { '/proc/self/status': 'CapEff:\t0000000000000000\n' } }, /rights/],
    ['a machine without libbpf', { loadLibbpf: (): Attempt => ({ kind: 'fails', errno: 0, found: 'x' }) }, /libbpf/],
  ])('loads nothing for %s', (_, change, found) => {
    const { lsm, ring } = gatherFacts(fakeProbes({ ...noAttempts, ...change }));
    expect([lsm, ring]).toEqual([
      { kind: 'untried', found: expect.stringMatching(found) },
      { kind: 'untried', found: expect.stringMatching(found) },
    ]);
  });

  it('tries what needs no kernel types where they are missing', () => {
    const { tryRing, tryTaskStorage } = fakeProbes();
    const facts = gatherFacts(fakeProbes({ ...noAttempts, tryRing, tryTaskStorage, exists: () => false }));
    expect(facts).toMatchObject({ kernelTypes: false, ring: { kind: 'works' }, lsm: { kind: 'untried' } });
  });

  it.each([
    ['none [integrity] confidentiality\n', 'integrity'],
    ['none integrity [confidentiality]\n', 'confidentiality'],
    ['', undefined],
  ])('reads lockdown %o as %s', (text, expected) => {
    expect(gatherFacts(fakeProbes({ files: { '/sys/kernel/security/lockdown': text } })).lockdown).toBe(expected);
  });

  it('has no list of security modules where securityfs is not mounted', () => {
    const { readText } = fakeProbes();
    const facts = gatherFacts(
      fakeProbes({ readText: (path) => (path.includes('/security/') ? undefined : readText(path)) }),
    );
    expect(facts).toMatchObject({ securityModules: undefined, lockdown: undefined });
  });
});

describe.skipIf(missingForKernel)(named('machineProbes', missingForKernel), () => {
  it('find on this machine what the tests of rings and maps use, and give an answer about LSM programs', () => {
    const facts = gatherFacts(machineProbes);
    expect(facts).toMatchObject({
      platform: 'linux',
      uid: 0,
      libbpf: { kind: 'works' },
      ring: { kind: 'works' },
      taskStorage: { kind: 'works' },
      tracepoint: { kind: 'works' },
      kernelReads: { kind: 'works' },
    });
    expect(['works', 'idle', 'fails']).toContain(facts.lsm.kind);
  });
});
