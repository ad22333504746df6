import type { Alert } from '../alert.ts';
import * as name from '../attributes.ts';
import type { Scope } from '../otlp/resource.ts';
import { AttributeList, AttributeMap } from './attribute-list.ts';
import type { AlertContext } from './context.ts';

/** `KubeArmorVersion` is this and the version of the program. */
const VERSION_PREFIX = 'picket-';

/**
 * The sensor behind an alert. It depends on the enforcer and on what stays the same while the agent runs: a handful of
 * scopes, to be made once. A gap in a sequence is noticed by the collector, everything else by the agent.
 */
export function toScope(
  alert: Pick<Alert, 'Enforcer' | 'KubeArmorVersion' | 'Operation'>,
  context: Pick<AlertContext, 'kernelRelease' | 'bootId'>,
): Scope {
  const list = new AttributeList();
  list.text(name.ENFORCER, alert.Enforcer);
  list.text(name.KERNEL_RELEASE, context.kernelRelease);
  list.text(name.NODE_BOOT_ID, context.bootId);
  return {
    name: alert.Operation === 'SequenceGap' ? 'picket-collector' : 'picket-agent',
    version: alert.KubeArmorVersion.slice(VERSION_PREFIX.length),
    attributes: list.pairs,
  };
}

/** The fields of the alert that its scope carries; undefined is what is not there. */
export function fromScope(scope: Scope) {
  return {
    Enforcer: new AttributeMap(scope.attributes).text(name.ENFORCER),
    KubeArmorVersion: scope.version === '' ? undefined : VERSION_PREFIX + scope.version,
  };
}
