import { describe, expect, it } from 'vitest';
import { appliesTo, containerNames } from '../../../agent/policy/select.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { hostRecord } from '../../../agent/workload/host.ts';
import { accepted, csp, hsp, ksp, workload } from './objects.ts';

const labels = { app: 'web', tier: 'front', 'pod-template-hash': '5d9c', empty: '' };
const pod = workload({ namespace: 'shop', pod: 'web-1', container: 'nginx', labels });
const expression = (operator: string, ...values: string[]) => ({ key: 'label', operator, values });
const inNamespace = (operator: string, ...values: string[]) => ({ key: 'namespace', operator, values });
const container = (value: string) => ({ matchLabels: { 'kubearmor.io/container.name': value } });

describe('appliesTo() for a KubeArmorPolicy', () => {
  it.each<[string, unknown, boolean]>([
    ['no selector', undefined, true],
    ['an empty selector', {}, true],
    ['one label', { matchLabels: { app: 'web' } }, true],
    ['all labels', { matchLabels: { app: 'web', tier: 'front' } }, true],
    ['one label of two', { matchLabels: { app: 'web', tier: 'back' } }, false],
    ['a label the pod has not', { matchLabels: { other: 'web' } }, false],
    ['a label with an empty value', { matchLabels: { empty: '' } }, true],
    ['an inherited property name', { matchLabels: { constructor: 'x' } }, false],
    ['a label that a controller set', { matchLabels: { 'pod-template-hash': '5d9c' } }, false],
    ['In with one of the values', { matchExpressions: [expression('In', 'app=db', 'app=web')] }, true],
    ['In with none of the values', { matchExpressions: [expression('In', 'app=db')] }, false],
    ['NotIn with none of the values', { matchExpressions: [expression('NotIn', 'app=db', 'tier=back')] }, true],
    ['NotIn with one of the values', { matchExpressions: [expression('NotIn', 'app=db', 'tier=front')] }, false],
    [
      'In, then NotIn that fails',
      { matchExpressions: [expression('In', 'app=web'), expression('NotIn', 'tier=front')] },
      false,
    ],
    [
      'NotIn that fails, then In',
      { matchExpressions: [expression('NotIn', 'tier=front'), expression('In', 'app=web')] },
      false,
    ],
    [
      'In and NotIn that both hold',
      { matchExpressions: [expression('In', 'app=web'), expression('NotIn', 'tier=back')] },
      true,
    ],
    [
      'labels that hold, In that fails',
      { matchLabels: { app: 'web' }, matchExpressions: [expression('In', 'app=db')] },
      false,
    ],
    [
      'NotIn with a label that a controller set',
      { matchExpressions: [expression('NotIn', 'pod-template-hash=5d9c')] },
      true,
    ],
    ['its container', container('[nginx]'), true],
    ['its container among others', container('[a, nginx ,b]'), true],
    ['another container', container('[sidecar]'), false],
    ['an empty container list', container('[]'), true],
    ['an empty container value', container(''), true],
    ['a malformed list that names it', container('[nginx,,]'), true],
    ['a malformed list that does not', container('[a,,]'), false],
    [
      'its container and a label it has not',
      { matchLabels: { 'kubearmor.io/container.name': '[nginx]', app: 'db' } },
      false,
    ],
  ])('with %s', (_, selector, expected) => {
    const policy = accepted(ksp({ ...(selector !== undefined && { selector }) }, { namespace: 'shop' }));
    expect(appliesTo(policy, pod, defaultSettings)).toBe(expected);
  });

  it('stays in its own namespace', () => {
    expect(appliesTo(accepted(ksp({}, { namespace: 'other' })), pod, defaultSettings)).toBe(false);
  });
});

describe('appliesTo() for a KubeArmorClusterPolicy', () => {
  it.each<[string, unknown[] | undefined, boolean]>([
    ['no selector', undefined, true],
    ['no expression', [], true],
    ['its namespace', [inNamespace('In', 'a', 'shop')], true],
    ['other namespaces', [inNamespace('In', 'a', 'b')], false],
    ['all but its namespace', [inNamespace('NotIn', 'shop')], false],
    ['all but another namespace', [inNamespace('NotIn', 'a')], true],
    ['its namespace and a label', [inNamespace('In', 'shop'), expression('In', 'app=web', 'app=x')], true],
    ['its namespace and another label', [inNamespace('In', 'shop'), expression('In', 'app=x')], false],
    ['a label only', [expression('In', 'app=web')], true],
  ])('with %s', (_, matchExpressions, expected) => {
    const policy = accepted(csp({ ...(matchExpressions && { selector: { matchExpressions } }) }));
    expect(appliesTo(policy, pod, defaultSettings)).toBe(expected);
  });
});

describe('appliesTo() leaves namespaces alone', () => {
  it.each(['kube-system', 'picket'])('%s by default', (namespace) => {
    expect(appliesTo(accepted(csp({})), workload({ namespace }), defaultSettings)).toBe(false);
    expect(appliesTo(accepted(ksp({}, { namespace })), workload({ namespace }), defaultSettings)).toBe(false);
  });

  it('as configured', () => {
    const settings = { ...defaultSettings, untrackedNs: ['shop'] };
    expect(appliesTo(accepted(csp({})), pod, settings)).toBe(false);
    expect(appliesTo(accepted(csp({})), workload({ namespace: 'kube-system' }), settings)).toBe(true);
  });
});

describe('containerNames()', () => {
  it.each([
    ['[a,b]', ['a', 'b']],
    ['[ a , b ]', ['a', 'b']],
    ['[]', []],
    ['', []],
    ['[', []],
    ['[a,,]', ['a']],
    ['name', ['am']],
  ])('%j', (value, names) => expect(containerNames(value)).toEqual(names));
});

describe('appliesTo() for a KubeArmorHostPolicy', () => {
  const node = hostRecord('node-7.example', { zone: 'a' });
  const covers = (matchLabels: Record<string, string>): boolean =>
    appliesTo(
      accepted(hsp({ nodeSelector: { matchLabels }, process: { matchPaths: [{ path: '/x' }] } })),
      node,
      defaultSettings,
    );

  it.each<[string, Record<string, string>, boolean]>([
    ['a label of the node', { zone: 'a' }, true],
    ['another value', { zone: 'b' }, false],
    ['a label that the node has not', { rack: 'a' }, false],
    ['all labels', { zone: 'a', 'kubernetes.io/hostname': 'node-7.example' }, true],
    ['one of two', { zone: 'a', 'kubernetes.io/hostname': 'node-8' }, false],
    ['its name', { 'kubearmor.io/hostname': 'node-7.example' }, true],
    ['a part of its name', { 'kubearmor.io/hostname': 'node-7' }, false],
    ['any name', { 'kubearmor.io/hostname': '*' }, true],
    ['a list with its name', { 'kubernetes.io/hostname': 'node-6, node-7.example' }, true],
    ['a list without', { 'kubernetes.io/hostname': 'node-6,node-8' }, false],
    ['a star in a name is no pattern', { 'kubernetes.io/hostname': 'node-*' }, false],
    ['a pattern', { 'kubearmor.io/hostnamereg': 'node-*' }, true],
    ['a pattern with two stars', { 'kubernetes.io/hostnamereg': '*-7.*' }, true],
    ['a pattern whose parts would have to overlap', { 'kubernetes.io/hostnamereg': 'node-7.example*example' }, false],
    ['a pattern in the wrong order', { 'kubernetes.io/hostnamereg': '*example*node*' }, false],
    ['a pattern without a star', { 'kubernetes.io/hostnamereg': 'node-7.example' }, true],
  ])('%s', (_, matchLabels, expected) => {
    expect(covers(matchLabels)).toBe(expected);
  });

  it('does not reach containers, and the policies of containers do not reach the node', () => {
    const policy = accepted(
      hsp({ nodeSelector: { matchLabels: { zone: 'a' } }, process: { matchPaths: [{ path: '/x' }] } }),
    );
    expect(appliesTo(policy, workload({ labels: { zone: 'a' } }), defaultSettings)).toBe(false);
    expect(appliesTo(accepted(csp({ process: { matchPaths: [{ path: '/x' }] } })), node, defaultSettings)).toBe(false);
  });
});
