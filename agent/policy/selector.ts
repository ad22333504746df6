import type { PolicyObject } from './schema.ts';
import { containerNameKey, containerNames, type Selector } from './select.ts';

/** The selector of a checked object; the container list is taken out of the labels. */
export function normaliseSelector(object: PolicyObject): Selector {
  if (object.kind === 'KubeArmorHostPolicy')
    return { kind: 'nodes', labels: new Map(Object.entries(object.spec.nodeSelector.matchLabels ?? {})) };
  const { selector } = object.spec;
  const written = selector && 'matchLabels' in selector ? selector.matchLabels : undefined;
  const labels = new Map(Object.entries(written ?? {}));
  const containers = containerNames(labels.get(containerNameKey) ?? '');
  labels.delete(containerNameKey);
  return { kind: 'pods', labels, containers, expressions: selector?.matchExpressions ?? [] };
}
