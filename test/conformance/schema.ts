import { z } from 'zod';

const regularExpression = z.string().superRefine((text, context) => {
  try {
    new RegExp(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const expectation = z.union(
  [
    scalar,
    z.strictObject({ contains: z.union([z.string(), z.number()]).transform(String) }),
    z.strictObject({ matches: regularExpression }),
  ],
  'a plain value, {contains: TEXT} or {matches: EXPRESSION}',
);
const pattern = z
  .record(z.string().min(1), expectation)
  .refine((map) => Object.keys(map).length > 0, 'at least one field');
const diagnosticPattern = z
  .partialRecord(z.enum(['policy', 'field', 'level', 'code']), expectation)
  .refine((map) => Object.keys(map).length > 0, 'at least one field');
const posture = z.enum(['block', 'audit']);
const postures = z.strictObject({ file: posture, network: posture, capabilities: posture }).partial();
const stringMap = z.record(z.string(), z.string());
const annotations = z.strictObject({
  namespaces: z.record(z.string(), stringMap).optional(),
  pods: z.record(z.string(), stringMap).optional(),
});
const policy = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

const workload = z.string().regex(/^[^/\s]+(\/[^/\s]+){0,2}$/, 'POD, NAMESPACE/POD, NAMESPACE/POD/CONTAINER or host');
const command = z
  .strictObject({
    in: workload,
    as: z.enum(['root', 'user1']).default('root'),
    tty: z.boolean().default(false),
    run: z.string().min(1).optional(),
    exec: z.array(z.string()).min(1).optional(),
    expect: z.enum(['allowed', 'denied']),
    output: regularExpression.optional(),
    alerts: z.array(pattern).default([]),
    noAlerts: z.array(pattern).default([]),
    diagnostics: z.array(diagnosticPattern).default([]),
  })
  .refine((step) => (step.run === undefined) !== (step.exec === undefined), 'either run or exec');

/** One schema per form of a step; the key that marks a change is its name. */
export const stepSchemas = {
  command,
  apply: z.strictObject({ apply: z.array(policy).min(1) }),
  delete: z.strictObject({ delete: z.array(z.string()).min(1) }),
  posture: z.strictObject({ posture: postures }),
  annotate: z.strictObject({ annotate: annotations }),
  start: z.strictObject({
    start: z.strictObject({
      namespace: z.string(),
      pod: z.string(),
      labels: stringMap,
      containers: z.array(z.string()).min(1),
    }),
  }),
};

export const NEEDS = ['lsm', 'tty', 'dns', 'host', 'userns'] as const;

/** A case file but for its steps, whose form decides on the schema. */
export const caseSchema = z.strictObject({
  case: z.string(),
  about: z.string().min(1),
  needs: z.array(z.enum(NEEDS)).default([]),
  namespace: z.string().default('multiubuntu'),
  posture: postures
    .default({})
    .transform((given) => ({ file: 'block', network: 'block', capabilities: 'block', ...given }) as const),
  annotations: annotations.default({}),
  config: z
    .strictObject({ alertThrottling: z.boolean(), maxAlertPerSec: z.int().min(1), throttleSec: z.int().min(1) })
    .partial()
    .optional(),
  policies: z.array(policy),
  steps: z.array(z.record(z.string(), z.unknown())).min(1),
});

export type Pattern = z.infer<typeof pattern>;
export type Expectation = z.infer<typeof expectation>;
export type Need = (typeof NEEDS)[number];
export type Policy = z.infer<typeof policy>;
export type CommandStep = z.infer<typeof command>;
type ChangeKind = Exclude<keyof typeof stepSchemas, 'command'>;
export type Step =
  | ({ kind: 'command' } & CommandStep)
  | { [K in ChangeKind]: { kind: K } & z.infer<(typeof stepSchemas)[K]> }[ChangeKind];
export type Case = Omit<z.infer<typeof caseSchema>, 'steps'> & { steps: Step[] };
