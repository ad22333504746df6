import { describe, expect, test } from 'vitest';
import { findTarget, podsOf, startedPods } from './pods.ts';
import type { Step } from './schema.ts';

describe('findTarget()', () => {
  test.for([
    ['ubuntu-3', 'multiubuntu', 'ubuntu-3', 'ubuntu-3', { container: 'ubuntu-3', group: 'group-1' }],
    ['default/ubuntu-4', 'default', 'ubuntu-4', 'ubuntu-4', { container: 'ubuntu-4', group: 'group-2' }],
    ['nginx1/debian', 'nginx1', 'debian', 'debian', { app: 'debian' }],
    [
      'multicontainer/multicontainer/container-2',
      'multicontainer',
      'multicontainer',
      'container-2',
      { container: 'multicontainer' },
    ],
    [
      'multicontainer/multicontainer',
      'multicontainer',
      'multicontainer',
      'container-1',
      { container: 'multicontainer' },
    ],
  ] as const)('finds %s', ([name, namespace, pod, container, labels]) => {
    const target = findTarget(name, namespace);
    expect(target).toMatchObject({ container, pod: { namespace, name: pod, labels } });
  });

  test.for(['ubuntu-6', 'nginx2/debian', 'nginx2/nginx/other'])('knows no %s', (name) => {
    expect(() => findTarget(name, 'multiubuntu')).toThrow(`no container ${name} in the fixture`);
  });
});

describe('podsOf()', () => {
  test('names each pod once, and not the node', () => {
    const steps = ['ubuntu-1', 'nginx1/nginx', 'ubuntu-1', 'host'].map(
      (name) => ({ kind: 'command', in: name }) as Step,
    );
    const pods = podsOf({ namespace: 'n', steps });
    expect(pods.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual(['n/ubuntu-1', 'nginx1/nginx']);
  });

  test('leaves out those that a step starts', () => {
    const start = { namespace: 'later', pod: 'late', labels: { a: 'b' }, containers: ['one', 'two'] };
    const steps: Step[] = [
      { kind: 'start', start },
      ...['later/late/two', 'ubuntu-2'].map((name) => ({ kind: 'command', in: name }) as Step),
    ];
    expect(podsOf({ namespace: 'n', steps }).map(({ name }) => name)).toEqual(['ubuntu-2']);
    const [late] = startedPods({ steps });
    expect(late).toEqual({ namespace: 'later', name: 'late', labels: { a: 'b' }, containers: ['one', 'two'] });
    expect(findTarget('later/late', 'n', startedPods({ steps }))).toEqual({ pod: late, container: 'one' });
  });
});
