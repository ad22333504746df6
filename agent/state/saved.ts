import { z } from 'zod';
import { placesSchema } from '../policy/places.ts';
import { settingsSchema } from '../policy/settings.ts';
import { workloadSchema } from '../workload/workload.ts';

/** Where a policy came from: one that was read from the folder goes when its file is gone at the next start. */
export type PolicyOrigin = 'folder' | 'control';

/** What an agent leaves on the disk for the next one. What is read is checked by these schemas. */
export const savedPolicy = z.strictObject({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  origin: z.enum(['folder', 'control']),
  /** Generation under which it was taken over. */
  generation: z.int().min(0),
  /** As its author wrote it; it is read again like any other. */
  object: z.unknown(),
  /** Where it stood, of a policy from a file. */
  places: placesSchema.optional(),
});
export type SavedPolicy = z.infer<typeof savedPolicy>;

export const savedWorkload = z.strictObject({
  /** Of the maps that the slot is in. */
  engine: z.string(),
  id: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt),
  slot: z.int().min(1),
  /** Its cgroup was not there yet. */
  expected: z.boolean(),
  record: workloadSchema,
});
export type SavedWorkload = z.infer<typeof savedWorkload>;

const outcomes = z.array(z.int().min(0)).length(8);

/** A rule set that was put into the kernel: by its number and generation the verdicts are named that it gives. */
export const savedRuleSet = z.strictObject({
  engine: z.string(),
  index: z.int().min(1),
  /** Generation under which it was loaded. */
  since: z.int().min(0),
  digest: z.string(),
  /** Their places in the arena. */
  automata: z.array(z.int().min(1)),
  names: z.strictObject({
    rules: z.array(
      z.looseObject({
        category: z.enum(['process', 'file', 'network', 'dns', 'capabilities', 'syscalls']),
        kind: z.enum(['KubeArmorPolicy', 'KubeArmorClusterPolicy', 'KubeArmorHostPolicy']),
        namespace: z.string(),
        policy: z.string(),
        uid: z.string(),
        path: z.string(),
        action: z.enum(['Allow', 'Audit', 'Block']),
        severity: z.number(),
        tags: z.array(z.string()),
        message: z.string(),
      }),
    ),
    /** Of rules on system calls: the agent compares late paths itself. */
    late: z.array(
      z.looseObject({
        path: z.string().optional(),
        category: z.int(),
        source: z.int(),
        exact: outcomes,
        near: outcomes,
        deep: outcomes,
      }),
    ),
  }),
});
export type SavedRuleSet = z.infer<typeof savedRuleSet>;

/** Settings that were changed while the agent ran, with those that its configuration gave then. */
export const savedSettings = z.strictObject({
  configured: z.object(settingsSchema.shape), // a setting that is not known any more is left out
  changed: z.object(settingsSchema.shape),
});
export type SavedSettings = z.infer<typeof savedSettings>;

export interface SavedState {
  /** Whether what is said of workloads is of this boot, and all there was. */
  isCurrent: boolean;
  generation: number;
  settings: SavedSettings | undefined;
  mode: 'enforce' | 'audit';
  policies: SavedPolicy[];
  workloads: SavedWorkload[];
  ruleSets: SavedRuleSet[];
}
