import { describe, expect, it } from 'vitest';
import { workloadSchema } from '../../../agent/workload/workload.ts';

const least = { cgroup: '/sys/fs/cgroup/x', containerId: 'c1', namespace: 'demo', pod: 'p', container: 'c' };

describe('workloadSchema', () => {
  it('takes the least that there must be, and fills in empty maps', () => {
    expect(workloadSchema.parse(least)).toEqual({ ...least, labels: {}, annotations: {}, namespaceAnnotations: {} });
  });

  it('takes everything that a source can tell', () => {
    const all = {
      ...least,
      podUid: 'e5c9…',
      image: 'nginx@sha256:b95a',
      labels: { 'app.kubernetes.io/name': 'web' },
      annotations: { 'kubearmor-policy': 'audited' },
      namespaceAnnotations: { 'kubearmor-file-posture': 'audit' },
      owner: { ref: 'Deployment', name: 'web', namespace: 'demo' },
      hostMounts: true,
    };
    expect(workloadSchema.parse(all)).toEqual(all);
  });

  it.each<[string, object]>([
    ['a relative cgroup', { cgroup: 'sys/fs/cgroup' }],
    ['a cgroup with ..', { cgroup: '/sys/fs/cgroup/../../etc' }],
    ['a cgroup with .', { cgroup: '/sys/./fs' }],
    ['a cgroup with a zero byte', { cgroup: '/sys/\0' }],
    ['an empty container id', { containerId: '' }],
    ['a container id with a slash', { containerId: 'a/b' }],
    ['a container id of 129 letters', { containerId: 'a'.repeat(129) }],
    ['a namespace that begins with a dash', { namespace: '-x' }],
    ['a pod with a newline', { pod: 'a\nb' }],
    ['no container', { container: undefined }],
    ['an unknown key', { podIP: '10.0.0.1' }],
    ['a label that is no string', { labels: { a: 1 } }],
    ['an empty label key', { labels: { '': 'x' } }],
    ['513 labels', { labels: Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`k${i}`, ''])) }],
    ['an owner without a name', { owner: { ref: 'Job', name: '', namespace: 'demo' } }],
    ['an image of a kilobyte', { image: 'x'.repeat(1025) }],
  ])('refuses %s', (_, change) => {
    expect(workloadSchema.safeParse({ ...least, ...change }).success).toBe(false);
  });
});
