import { isIP } from 'node:net';
import { z } from 'zod';

const path = z.string().startsWith('/', { error: 'must be an absolute path' });
const MiB = 1024 * 1024;

/** HOST:PORT or [IPV6]:PORT. */
const endpoint = z.string().refine((text) => splitEndpoint(text) !== undefined, {
  error: 'must be HOST:PORT, such as 127.0.0.1:4317',
});

const loopback = endpoint.refine(
  (text) => {
    const host = splitEndpoint(text)?.host ?? '';
    return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  },
  { error: 'must be on this machine (127.0.0.1, [::1], localhost): another address without TLS is refused' },
);

/**
 * The configuration of the collector. Every key has a default, a unit in its name or description, and takes effect at
 * the next start.
 */
export const configSchema = z
  .strictObject({
    stateDir: path.optional().describe('folder of spool, token and alert store (0700)'),
    otlp: z
      .strictObject({
        grpc: z
          .strictObject({
            address: loopback.default('127.0.0.1:4317').describe('where OTLP over gRPC is taken'),
            maxMessageBytes: z
              .int()
              .min(1024)
              .max(64 * MiB)
              .default(16 * MiB)
              .describe('largest request, before and after decompression'),
            maxInFlightBytes: z
              .int()
              .min(MiB)
              .max(1024 * MiB)
              .default(64 * MiB)
              .describe(
                'bytes that all requests together may hold in memory; beyond it senders are told to come again',
              ),
            maxConnections: z.int().min(1).max(100_000).default(1024).describe('connections at a time'),
          })
          .prefault({}),
      })
      .prefault({}),
    tokenFile: path.optional().describe('bearer token that senders must show; made at the first start (0600)'),
    acknowledge: z
      .literal('spool', {
        error: 'must be "spool": this version answers when the request is on its disk, and knows no other way',
      })
      .default('spool')
      .describe('when a sender gets its answer'),
    kafka: z
      .strictObject({
        brokers: z.array(endpoint).min(1).describe('bootstrap brokers'),
        clientId: z.string().min(1).max(200).default('picket-collector').describe('name shown to the brokers'),
        createTopics: z.boolean().default(true).describe('create topics that are missing'),
        partitions: z.int().min(1).max(10_000).default(6).describe('partitions of a topic that is created'),
        replicationFactor: z
          .int()
          .min(-1)
          .max(100)
          .refine((factor) => factor !== 0, { error: 'must be -1 (the default of the brokers) or 1 and more' })
          .default(-1)
          .describe('replicas of a topic that is created; -1: the default of the brokers'),
        timeoutMs: z.int().min(500).max(120_000).default(10_000).describe('milliseconds one send may take'),
        maxRecordBytes: z
          .int()
          .min(1024)
          .max(64 * MiB)
          .default(1_000_000)
          .describe('largest Kafka record; a larger one goes to the dead letters, cut'),
      })
      .optional()
      .describe('deliver to Kafka; without it alerts are kept in the store'),
    store: z
      .strictObject({
        path: path.optional().describe('SQLite file'),
        maxBytes: z
          .int()
          .min(MiB)
          .default(1024 * MiB)
          .describe('size of the store; beyond it the oldest alerts go'),
        maxAgeDays: z.number().positive().default(7).describe('days that an alert is kept'),
      })
      .optional()
      .describe('keep alerts in the embedded store; with kafka only when this is given'),
    statusSocket: path.optional().describe('Unix socket with GET /v1/status (0600)'),
    log: z
      .strictObject({
        level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('lowest level that is written'),
      })
      .prefault({}),
  })
  .describe('picket collector');

type Parsed = z.infer<typeof configSchema>;

/** A whole configuration: what depends on other keys is filled in. */
export interface Config extends Omit<Parsed, 'stateDir' | 'tokenFile' | 'statusSocket' | 'store'> {
  readonly stateDir: string;
  readonly tokenFile: string;
  readonly statusSocket: string;
  readonly store: (NonNullable<Parsed['store']> & { path: string }) | undefined;
}

/** Folders that depend on who runs it. */
export interface Places {
  readonly stateDir: string;
  readonly runDir: string;
}

/** Root: /var/lib/picket and /run/picket. Anybody else: the XDG folders. */
export function defaultPlaces(uid = process.getuid?.() ?? 0, env: NodeJS.ProcessEnv = process.env): Places {
  if (uid === 0) return { stateDir: '/var/lib/picket/collector', runDir: '/run/picket' };
  const state = env.XDG_STATE_HOME ?? `${env.HOME ?? '/tmp'}/.local/state`;
  const run = env.XDG_RUNTIME_DIR ?? `/run/user/${uid}`;
  return { stateDir: `${state}/picket/collector`, runDir: `${run}/picket` };
}

/** Without `kafka` there is always a store; with it, only one that was asked for. */
export function completeConfig(parsed: Parsed, places: Places = defaultPlaces()): Config {
  const stateDir = parsed.stateDir ?? places.stateDir;
  const store = parsed.store ?? (parsed.kafka ? undefined : { maxBytes: 1024 * MiB, maxAgeDays: 7 });
  return {
    ...parsed,
    stateDir,
    tokenFile: parsed.tokenFile ?? `${stateDir}/token`,
    statusSocket: parsed.statusSocket ?? `${places.runDir}/collector.sock`,
    store: store && { ...store, path: store.path ?? `${stateDir}/alerts.db` },
  };
}

/** Host and port of HOST:PORT or [IPV6]:PORT. */
export function splitEndpoint(text: string): { host: string; port: number } | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:\s/]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (!parts || port > 65_535) return undefined;
  return { host: parts[1] ?? parts[2] ?? '', port };
}
