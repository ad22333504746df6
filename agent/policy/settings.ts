import { z } from 'zod';

const posture = z.enum(['block', 'audit']);

/** The agent settings that policies depend on, with their defaults; KubeArmor's names where it has the setting. */
export const settingsSchema = z.strictObject({
  /** What happens to accesses that an allow-list does not list: files and programs. */
  defaultFilePosture: posture.default('block'),
  /** The same for sockets and look-ups. */
  defaultNetworkPosture: posture.default('block'),
  defaultCapabilitiesPosture: posture.default('block'),
  /** Namespaces that no policy touches. */
  untrackedNs: z.array(z.string()).default(['kube-system', 'picket']),
  /** Whether a file allow-list lets programs read what any dynamically linked program needs to start. */
  fileBaseline: z.enum(['on', 'off']).default('on'),
  /** `audit`: every refusal passes and is reported. */
  enforcement: z.enum(['enforce', 'audit']).default('enforce'),
  /** Annotations of namespaces by namespace; each key beats the one that a workload's record brings. */
  namespaceAnnotations: z.record(z.string(), z.record(z.string(), z.string())).default({}),
});

export type Settings = z.infer<typeof settingsSchema>;
export type Posture = Settings['defaultFilePosture'];

export const defaultSettings: Settings = settingsSchema.parse({});
