import { describe, expect, it } from 'vitest';
import { workloadSchema } from '../../../agent/workload/workload.ts';

const record = {
  cgroup: '/sys/fs/cgroup/demo/a',
  containerId: 'c0ffee',
  namespace: 'demo',
  pod: 'sample',
  container: 'sample',
};

describe('workloadSchema', () => {
  it('fills in empty maps', () => {
    expect(workloadSchema.parse(record)).toEqual({ ...record, labels: {}, annotations: {}, namespaceAnnotations: {} });
  });

  it('takes a full record', () => {
    const full = {
      ...record,
      podUid: '1f613df8-0000-4000-8000-000000000000',
      image: 'nginx:latest@sha256:b95a',
      labels: { 'app.kubernetes.io/name': 'x' },
      annotations: { a: 'b' },
      namespaceAnnotations: { 'kubearmor-file-posture': 'block' },
      owner: { ref: 'Deployment', name: 'd', namespace: 'demo' },
    };
    expect(workloadSchema.parse(full)).toEqual(full);
  });

  it.each<[string, object]>([
    ['an unknown field', { pid: 1 }],
    ['a relative cgroup', { cgroup: 'demo' }],
    ['a cgroup that climbs', { cgroup: '/sys/fs/cgroup/../x' }],
    ['a cgroup with a NUL', { cgroup: '/sys/fs/cgroup/\0' }],
    ['an empty container id', { containerId: '' }],
    ['a long container id', { containerId: 'a'.repeat(129) }],
    ['a namespace with an escape', { namespace: 'a\u001b' }],
    ['a pod of two lines', { pod: 'a\nb' }],
    ['a long container', { container: 'a'.repeat(254) }],
    ['too many labels', { labels: Object.fromEntries([...new Array(513).keys()].map((i) => [`k${i}`, 'v'])) }],
    ['a label that is no text', { labels: { a: 1 } }],
    ['a long label', { labels: { a: 'x'.repeat(1025) } }],
    ['half an owner', { owner: { ref: 'Deployment' } }],
  ])('refuses %s', (_, fields) => {
    expect(workloadSchema.safeParse({ ...record, ...fields }).success).toBe(false);
  });

  it.each(['cgroup', 'containerId', 'namespace', 'pod', 'container'])('refuses a record without %s', (field) => {
    expect(workloadSchema.safeParse({ ...record, [field]: undefined }).success).toBe(false);
  });
});
