import { z } from 'zod';

const posture = z.enum(['block', 'audit']);

/** The agent settings that policies depend on, with their defaults; KubeArmor's names where it has the setting. */
export const settingsSchema = z.strictObject({
  defaultFilePosture: posture
    .default('block')
    .describe('what happens to files and programs that an allow-list does not list'),
  defaultNetworkPosture: posture.default('block').describe('the same for sockets and look-ups'),
  defaultCapabilitiesPosture: posture.default('block').describe('the same for capabilities'),
  hostDefaultFilePosture: posture
    .default('audit')
    .describe('the same for host policies; block would stop a node whose list is not complete'),
  hostDefaultNetworkPosture: posture.default('audit').describe('the same for sockets and look-ups of the node'),
  hostDefaultCapabilitiesPosture: posture.default('audit').describe('the same for capabilities of the node'),
  nodeLabels: z
    .record(z.string(), z.string())
    .default({})
    .describe('labels of this node, for the nodeSelector of host policies; its name is known without'),
  untrackedNs: z.array(z.string()).default(['kube-system', 'picket']).describe('namespaces that no policy touches'),
  fileBaseline: z
    .enum(['on', 'off'])
    .default('on')
    .describe('whether a file allow-list lets programs read what any dynamically linked program needs to start'),
  ioUring: z
    .enum(['allow', 'deny'])
    .default('allow')
    .describe(
      'deny: without BPF LSM, where nothing sees what is done through an io_uring, whoever sets one up is killed',
    ),
  enforcement: z.enum(['enforce', 'audit']).default('enforce').describe('audit: every refusal passes and is reported'),
  namespaceAnnotations: z
    .record(z.string(), z.record(z.string(), z.string()))
    .default({})
    .describe('annotations of namespaces, by namespace; each key beats the one that a workload brings'),
});

export type Settings = z.infer<typeof settingsSchema>;
export type Posture = Settings['defaultFilePosture'];

export const defaultSettings: Settings = settingsSchema.parse({});
