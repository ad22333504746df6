import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toResource, toScope } from '../../../otel/mapping/mapping.ts';
import { joinImage, parseImage } from '../../../otel/mapping/workload-text.ts';
import { encodeResource } from '../../../otel/otlp/resource.ts';
import { unlinkAlert } from '../sample-alerts.ts';
import { anyContext, verdictAlert } from './alerts.ts';

function plain(alert: Parameters<typeof toResource>[0], context = {}): Record<string, unknown> {
  return Object.fromEntries(
    toResource(alert, context).attributes.map(({ key, value }) => [
      key,
      value.kind === 'array'
        ? value.value.map((entry) => 'value' in entry && entry.value)
        : 'value' in value && value.value,
    ]),
  );
}

describe('toResource()', () => {
  it('names the workload in the words of the conventions', () => {
    const Owner = { Ref: 'Deployment', Name: 'web', Namespace: 'default' };
    expect(plain({ ...unlinkAlert, NodeID: '4f0c', Owner }, { podUid: 'u' })).toEqual({
      'service.name': 'web',
      'service.namespace': 'default',
      'k8s.cluster.name': 'default',
      'host.name': 'vagrant',
      'k8s.node.name': 'vagrant',
      'host.id': '4f0c',
      'k8s.namespace.name': 'default',
      'k8s.pod.name': 'ubuntu-1-6779f689b5-jjcvh',
      'k8s.pod.uid': 'u',
      'k8s.deployment.name': 'web',
      'picket.owner.ref': 'Deployment',
      'picket.owner.name': 'web',
      'picket.owner.namespace': 'default',
      'k8s.pod.label.container': 'ubuntu-1',
      'container.id': unlinkAlert.ContainerID,
      'k8s.container.name': 'nginx',
      'container.name': 'nginx',
      'container.image.name': 'nginx',
      'container.image.tags': ['latest'],
      'container.image.repo_digests': ['nginx@sha256:b95a99feebf7797479e0c5eb5ec0bdfa5d9f504bc94da550c2f58e839ea6914f'],
    });
  });

  it('has a service name in every case', () => {
    const label = { ...unlinkAlert, Labels: 'app.kubernetes.io/name=shop,container=ubuntu-1' };
    expect(plain(label)['service.name']).toBe('shop');
    expect(plain(unlinkAlert)['service.name']).toBe('nginx');
    const { ContainerName: _, ...host } = unlinkAlert;
    expect(plain(host)['service.name']).toBe('vagrant');
  });

  it('has no attribute for the kind of an owner that the conventions do not know', () => {
    const got = plain({ ...unlinkAlert, Owner: { Ref: 'Rollout', Name: 'r', Namespace: 'n' } });
    expect(Object.keys(got).filter((key) => key.includes('rollout'))).toEqual([]);
  });

  it('depends on the workload alone, so that its bytes can be kept', () => {
    fc.assert(
      fc.property(verdictAlert, anyContext, (other, context) => {
        const { ClusterName, HostName, NamespaceName, PodName, ContainerID, ContainerName, ContainerImage, Labels } =
          unlinkAlert;
        const workload = {
          ClusterName,
          HostName,
          NamespaceName,
          PodName,
          ContainerID,
          ContainerName,
          ContainerImage,
          Labels,
        };
        const { NodeID: _, Owner: __, ...rest } = other;
        const first = toResource({ ...unlinkAlert }, { podUid: 'u' });
        const second = toResource({ ...rest, ...workload } as typeof unlinkAlert, { ...context, podUid: 'u' });
        expect(encodeResource(second)).toEqual(encodeResource(first));
      }),
    );
  });
});

describe('parseImage()', () => {
  it.each([
    ['nginx', { name: 'nginx' }],
    ['nginx:latest', { name: 'nginx', tag: 'latest' }],
    ['localhost:5000/app', { name: 'localhost:5000/app' }],
    ['localhost:5000/app:1@sha256:ab', { name: 'localhost:5000/app', tag: '1', digest: 'sha256:ab' }],
    ['nginx@sha256:ab', { name: 'nginx', digest: 'sha256:ab' }],
    ['nginx:', { name: 'nginx:' }],
    ['a@b@c', { name: 'a@b@c' }],
  ])('takes %s apart', (image, parts) => {
    expect(parseImage(image)).toEqual(parts);
    expect(joinImage(parseImage(image))).toBe(image);
  });
});

describe('toScope()', () => {
  it('names the sensor, its version and its place', () => {
    expect(toScope(unlinkAlert, { kernelRelease: '6.1.0', bootId: 'b' })).toEqual({
      name: 'picket-agent',
      version: '0.1.0',
      attributes: [
        { key: 'picket.enforcer', value: { kind: 'string', value: 'eBPF Monitor' } },
        { key: 'picket.kernel.release', value: { kind: 'string', value: '6.1.0' } },
        { key: 'picket.node.boot_id', value: { kind: 'string', value: 'b' } },
      ],
    });
  });

  it('is the collector for a gap that the collector found', () => {
    const gap = { Operation: 'SequenceGap', KubeArmorVersion: 'picket-0.1.0' } as const;
    expect(toScope(gap, { kernelRelease: '', bootId: '' })).toEqual({
      name: 'picket-collector',
      version: '0.1.0',
      attributes: [],
    });
  });
});
