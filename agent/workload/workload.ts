import { z } from 'zod';

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/,
    'letters, digits, "-", "." and "_", beginning and ending with a letter or digit',
  )
  .max(253);

/** Bounds follow Kubernetes: a key is a DNS prefix, a slash and a name; all annotations together stay below 256 KiB. */
function stringMap(maxEntries: number, maxValue: number) {
  return z
    .record(z.string().min(1).max(317), z.string().max(maxValue))
    .refine((map) => Object.keys(map).length <= maxEntries, `at most ${maxEntries} entries`)
    .default({});
}

const owner = z.strictObject({
  ref: z.string().min(1).max(253),
  name: z.string().min(1).max(253),
  namespace: z.string().max(253),
});

const absolutePath = z
  .string()
  .max(4095)
  .regex(/^\/(?!.*(^|\/)\.\.?(\/|$))[^\0]*$/, 'an absolute path without "." and ".." components');

/** A container as whoever found it tells the agent; strict, every string and map bounded. */
export const workloadSchema = z.strictObject({
  /** Absolute path of the container's cgroup v2 directory. */
  cgroup: absolutePath,
  /**
   * Where the container's root directory lies on the node. Only for the time before its first program has started: that one too
   * is to be known under the names that links give it.
   */
  root: absolutePath.optional(),
  containerId: z.string().regex(/^[A-Za-z0-9][-A-Za-z0-9_.]{0,127}$/, 'up to 128 letters, digits, "-", "_" and "."'),
  namespace: name,
  pod: name,
  podUid: z.string().min(1).max(64).optional(),
  container: name,
  image: z.string().max(1024).optional(),
  labels: stringMap(512, 1024),
  annotations: stringMap(1024, 262_144),
  owner: owner.optional(),
  namespaceAnnotations: stringMap(1024, 262_144),
  /** The cgroup may still have to be made: whoever makes it and enters it is under the rules from its first program on. */
  expected: z.boolean().optional(),
  /** The workload's programs run in the mount namespace of whoever starts them, as those of `picket run` do. */
  hostMounts: z.boolean().optional(),
});

/** One container: the unit that policies cover, known by its cgroup. */
export type WorkloadRecord = z.infer<typeof workloadSchema> & {
  /** The node itself (hostRecord): no source may say so. */
  host?: true;
};
