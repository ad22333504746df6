import { z } from 'zod';
import {
  capabilitiesCategory,
  fileCategory,
  levels,
  networkCategory,
  presets,
  processCategory,
  syscallsCategory,
} from './category-schema.ts';

const labels = z.record(z.string(), z.string());
const operator = z.enum(['In', 'NotIn']);
const labelValue = z.string().regex(/^[^=]+=/, 'key=value');
const labelExpression = z.strictObject({ key: z.literal('label'), operator, values: z.array(labelValue) });
const namespaceExpression = z.strictObject({
  key: z.literal('namespace'),
  operator,
  values: z.array(z.string().min(1)),
});

const hostCategories = {
  process: processCategory.optional(),
  file: fileCategory.optional(),
  network: networkCategory.optional(),
  capabilities: capabilitiesCategory.optional(),
  syscalls: syscallsCategory.optional(),
};
const podCategories = { ...hostCategories, presets: presets.optional() };

/** Of a name: what Kubernetes lets pass, and a little more for policies from files. */
const objectName = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/,
    'letters, digits, "-", "." and "_", beginning and ending with a letter or digit',
  );

const metadata = z.looseObject({
  name: objectName,
  namespace: objectName.optional(),
  uid: z.string().max(128).optional(),
  generation: z.int().min(0).optional(),
});

const head = { apiVersion: z.literal('security.kubearmor.com/v1'), metadata };

/** `KubeArmorPolicy`: pods of its own namespace. */
export const podPolicySchema = z.strictObject({
  ...head,
  kind: z.literal('KubeArmorPolicy'),
  spec: z.strictObject({
    ...levels,
    selector: z
      .strictObject({ matchLabels: labels.optional(), matchExpressions: z.array(labelExpression).optional() })
      .optional(),
    ...podCategories,
  }),
});

/** `KubeArmorClusterPolicy`: pods over many namespaces. */
export const clusterPolicySchema = z.strictObject({
  ...head,
  kind: z.literal('KubeArmorClusterPolicy'),
  spec: z.strictObject({
    ...levels,
    selector: z
      .strictObject({
        matchExpressions: z.array(z.discriminatedUnion('key', [labelExpression, namespaceExpression])).optional(),
      })
      .optional(),
    ...podCategories,
  }),
});

/** `KubeArmorHostPolicy`: the tasks of nodes that belong to no workload. */
export const hostPolicySchema = z.strictObject({
  ...head,
  kind: z.literal('KubeArmorHostPolicy'),
  spec: z.strictObject({
    ...levels,
    nodeSelector: z.strictObject(
      { matchLabels: labels.optional() },
      'a map with matchLabels, such as kubernetes.io/hostname: "*" for every node',
    ),
    ...hostCategories,
  }),
});

export const policySchemas = {
  KubeArmorPolicy: podPolicySchema,
  KubeArmorClusterPolicy: clusterPolicySchema,
  KubeArmorHostPolicy: hostPolicySchema,
} as const;

/** A policy object whose every field has been checked, spelt as its author wrote it. */
export type PolicyObject =
  | z.infer<typeof podPolicySchema>
  | z.infer<typeof clusterPolicySchema>
  | z.infer<typeof hostPolicySchema>;
