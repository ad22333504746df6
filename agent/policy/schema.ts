import { z } from 'zod';
import { canonicalCapability, capabilityNames } from './capability.ts';
import { splitList } from './list.ts';
import { pathProblem } from './path.ts';
import { patternProblem } from './pattern.ts';
import { isProtocol, protocolNames } from './protocol.ts';

/** A string for which `problem` finds nothing; what it finds becomes the "allowed" part of the message. */
function checked(problem: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const allowed = problem(text);
    if (allowed !== undefined) context.addIssue({ code: 'custom', message: allowed });
  });
}

const path = checked((text) => pathProblem(text, 'file'));
const dir = checked((text) => pathProblem(text, 'directory'));
const eitherPath = checked((text) => pathProblem(text, 'either'));
const pattern = checked(patternProblem);

const execname = checked((text) =>
  text === '' || /[/\0]/.test(text) || text === '.' || text === '..' || Buffer.byteLength(text) > 255
    ? 'the name of a program: 1 to 255 bytes without "/"'
    : undefined,
);

/** Each value of a comma list must pass. */
function commaList(allowed: string, accepts: (value: string) => boolean) {
  return checked((text) => (splitList(text).every(accepts) ? undefined : allowed));
}

const protocol = commaList(`one or more, separated by commas, of ${protocolNames.join(', ')}`, isProtocol);

const capability = commaList(
  'one or more capability names separated by commas, such as net_raw or CAP_NET_RAW',
  (value) => capabilityNames.has(canonicalCapability(value)),
);

const domain = commaList(
  'one or more domain names separated by commas, each of at most 253 characters in labels of 1 to 63',
  (value) => value.length <= 254 && /^([^\s.\0]{1,63}\.)*[^\s.\0]{1,63}\.?$/.test(value),
);

const severityRange = 'an integer from 1 to 10';

const action = z.string().regex(/^(allow|audit|block)$/i, 'Allow, Audit or Block');

/** The four values that a rule inherits from its category and from the spec (policy language, section 2). */
const levels = {
  severity: z.int(severityRange).min(1, severityRange).max(10, severityRange).optional(),
  tags: z.array(z.string()).optional(),
  message: z.string().optional(),
  action: action.optional(),
};

const source = z
  .strictObject({ path: path.optional(), dir: dir.optional(), recursive: z.boolean().optional() })
  .refine(
    (entry) => (entry.path === undefined) !== (entry.dir === undefined),
    'either path or dir, not both and not neither',
  );

const from = { fromSource: z.array(source).optional(), ...levels };
const owner = { ownerOnly: z.boolean().optional() };
const terminal = { pts: z.boolean().optional() };
const readOnly = { readOnly: z.boolean().optional() };
const recursive = { recursive: z.boolean().optional() };

const processCategory = z.strictObject({
  ...levels,
  matchPaths: z
    .array(
      z
        .strictObject({
          path: path.optional(),
          execname: execname.optional(),
          ...owner,
          ...terminal,
          allowedArgs: z.array(z.string()).optional(),
          ...from,
        })
        .refine(
          (entry) => (entry.path === undefined) !== (entry.execname === undefined),
          'either path or execname, not both and not neither',
        ),
    )
    .optional(),
  matchDirectories: z.array(z.strictObject({ dir, ...recursive, ...owner, ...terminal, ...from })).optional(),
  matchPatterns: z.array(z.strictObject({ pattern, ...owner, ...terminal, ...from })).optional(),
});

const fileCategory = z.strictObject({
  ...levels,
  matchPaths: z.array(z.strictObject({ path, ...readOnly, ...owner, ...terminal, ...from })).optional(),
  matchDirectories: z
    .array(z.strictObject({ dir, ...recursive, ...readOnly, ...owner, ...terminal, ...from }))
    .optional(),
  matchPatterns: z.array(z.strictObject({ pattern, ...readOnly, ...owner, ...terminal, ...from })).optional(),
});

const networkCategory = z.strictObject({
  ...levels,
  matchProtocols: z.array(z.strictObject({ protocol, ...terminal, ...from })).optional(),
  matchDNSQueries: z.array(z.strictObject({ domain, ...from })).optional(),
});

const capabilitiesCategory = z.strictObject({
  ...levels,
  matchCapabilities: z.array(z.strictObject({ capability, ...from })).optional(),
});

const syscallsCategory = z.strictObject({
  ...levels,
  matchSyscalls: z.array(z.strictObject({ syscall: z.array(z.string()), ...from })).optional(),
  matchPaths: z
    .array(z.strictObject({ path: eitherPath, ...recursive, syscall: z.array(z.string()), ...from }))
    .optional(),
});

const presets = z.array(z.strictObject({ name: z.string(), ...levels }));

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
    nodeSelector: z.strictObject({ matchLabels: labels.optional() }),
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
