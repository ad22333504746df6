import { describe, expect, it } from 'vitest';
import { modeOf, posturesOf } from '../../../agent/policy/posture.ts';
import { defaultSettings, settingsSchema } from '../../../agent/policy/settings.ts';
import { workload } from './objects.ts';

const settings = (fields: unknown) => settingsSchema.parse(fields);

describe('posturesOf()', () => {
  it('is block out of the box', () => {
    expect(posturesOf(workload(), defaultSettings)).toEqual({
      postures: { process: 'block', file: 'block', network: 'block', dns: 'block', capabilities: 'block' },
      diagnostics: [],
    });
  });

  it('lets process follow file and dns follow network', () => {
    expect(posturesOf(workload(), settings({ defaultFilePosture: 'audit' })).postures).toMatchObject({
      process: 'audit',
      file: 'audit',
      network: 'block',
      dns: 'block',
    });
    expect(posturesOf(workload(), settings({ defaultNetworkPosture: 'audit' })).postures).toMatchObject({
      process: 'block',
      network: 'audit',
      dns: 'audit',
      capabilities: 'block',
    });
  });

  it.each([
    ['kubearmor-file-posture', ['process', 'file']],
    ['kubearmor-network-posture', ['network', 'dns']],
    ['kubearmor-capabilities-posture', ['capabilities']],
  ])('obeys the annotation %s of the namespace', (key, categories) => {
    const { postures, diagnostics } = posturesOf(
      workload({ namespaceAnnotations: { [key]: 'audit' } }),
      defaultSettings,
    );
    expect(
      Object.entries(postures)
        .filter(([, posture]) => posture === 'audit')
        .map(([category]) => category),
    ).toEqual(categories);
    expect(diagnostics).toEqual([]);
  });

  it('lets the annotation win over the global setting, both ways', () => {
    const namespaceAnnotations = { 'kubearmor-file-posture': 'block' };
    expect(
      posturesOf(workload({ namespaceAnnotations }), settings({ defaultFilePosture: 'audit' })).postures.file,
    ).toBe('block');
  });

  it('takes annotations from the settings before those of the record', () => {
    const record = workload({
      namespaceAnnotations: { 'kubearmor-file-posture': 'audit', 'kubearmor-network-posture': 'audit' },
    });
    const { postures } = posturesOf(
      record,
      settings({
        namespaceAnnotations: {
          demo: { 'kubearmor-file-posture': 'block' },
          other: { 'kubearmor-network-posture': 'block' },
        },
      }),
    );
    expect(postures).toMatchObject({ file: 'block', network: 'audit' });
  });

  it('ignores another value and reports it', () => {
    const record = workload({ namespaceAnnotations: { 'kubearmor-file-posture': 'blok' } });
    expect(posturesOf(record, settings({ defaultFilePosture: 'audit' }))).toEqual({
      postures: expect.objectContaining({ file: 'audit' }),
      diagnostics: [
        {
          namespace: 'demo',
          level: 'warning',
          code: 'InvalidAnnotation',
          field: 'metadata.annotations[kubearmor-file-posture]',
          message: 'found "blok"; allowed: block, audit; the global posture audit applies',
        },
      ],
    });
  });
});

describe('modeOf()', () => {
  it.each([
    [undefined, 'enforced'],
    ['enabled', 'enforced'],
    ['patched', 'enforced'],
    ['audited', 'audited'],
    ['disabled', 'disabled'],
  ])('with kubearmor-policy %s', (value, mode) => {
    expect(
      modeOf(workload({ annotations: value === undefined ? {} : { 'kubearmor-policy': value } }), defaultSettings),
    ).toBe(mode);
  });

  it('treats pods labelled io.cilium/app as audited', () => {
    const labels = { 'io.cilium/app': 'operator' };
    expect(modeOf(workload({ labels }), defaultSettings)).toBe('audited');
    expect(modeOf(workload({ labels, annotations: { 'kubearmor-policy': 'disabled' } }), defaultSettings)).toBe(
      'disabled',
    );
  });

  it('audits everything under enforcement: audit', () => {
    expect(modeOf(workload(), settings({ enforcement: 'audit' }))).toBe('audited');
  });

  it('does not look at the visibility annotation', () => {
    expect(modeOf(workload({ annotations: { 'kubearmor-visibility': 'none' } }), defaultSettings)).toBe('enforced');
  });
});
