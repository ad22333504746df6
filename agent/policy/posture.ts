import type { WorkloadRecord } from '../workload/workload.ts';
import { type Diagnostic, diagnose } from './diagnostic.ts';
import { formatField, printable } from './field.ts';
import type { Category } from './rule.ts';
import type { Posture, Settings } from './settings.ts';

const annotationKeys = {
  file: 'kubearmor-file-posture',
  network: 'kubearmor-network-posture',
  capabilities: 'kubearmor-capabilities-posture',
} as const;

/** What an allow-list does with the rest, per category; syscall rules only report and have none. */
export type Postures = Readonly<Record<Exclude<Category, 'syscalls'>, Posture>>;

/** The annotations of the workload's namespace: those of the settings over those of the record. */
export function namespaceAnnotations(workload: WorkloadRecord, settings: Settings): Readonly<Record<string, string>> {
  return { ...workload.namespaceAnnotations, ...settings.namespaceAnnotations[workload.namespace] };
}

/**
 * The postures of a workload: for the node the host's settings; else its namespace's annotation, else the global setting; process follows file, dns follows
 * network. A value that is neither `block` nor `audit` counts for nothing and is reported as InvalidAnnotation.
 */
export function posturesOf(
  workload: WorkloadRecord,
  settings: Settings,
): { postures: Postures; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  if (workload.host) {
    const { hostDefaultFilePosture: file, hostDefaultNetworkPosture: network } = settings;
    const capabilities = settings.hostDefaultCapabilitiesPosture;
    return { postures: { process: file, file, network, dns: network, capabilities }, diagnostics };
  }
  const annotations = namespaceAnnotations(workload, settings);
  function posture(key: string, global: Posture): Posture {
    const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    if (value === undefined || value === 'block' || value === 'audit') return value ?? global;
    diagnostics.push(
      diagnose(
        { namespace: workload.namespace },
        'InvalidAnnotation',
        formatField(['metadata', 'annotations', key]),
        `found ${printable(value)}; allowed: block, audit; the global posture ${global} applies`,
      ),
    );
    return global;
  }
  const file = posture(annotationKeys.file, settings.defaultFilePosture);
  const network = posture(annotationKeys.network, settings.defaultNetworkPosture);
  const capabilities = posture(annotationKeys.capabilities, settings.defaultCapabilitiesPosture);
  return { postures: { process: file, file, network, dns: network, capabilities }, diagnostics };
}

/** How the rules act on a workload: as written; refusing nothing; or not at all. */
export type WorkloadMode = 'enforced' | 'audited' | 'disabled';

/** The pod's `kubearmor-policy` annotation, the label `io.cilium/app`, and the global `enforcement`. */
export function modeOf(workload: WorkloadRecord, settings: Settings): WorkloadMode {
  const annotation = workload.annotations['kubearmor-policy'];
  if (annotation === 'disabled') return 'disabled';
  const audited = annotation === 'audited' || Object.hasOwn(workload.labels, 'io.cilium/app');
  return audited || settings.enforcement === 'audit' ? 'audited' : 'enforced';
}
