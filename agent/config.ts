import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from './error.ts';
import type { Position } from './policy/diagnostic.ts';
import { readDocuments, type YamlDocument } from './policy/document.ts';
import { type FieldPath, formatField } from './policy/field.ts';
import { PolicyFileError, readPolicyFile } from './policy/file.ts';
import { issueMessage, issuePath } from './policy/issue.ts';
import { type Settings, settingsSchema } from './policy/settings.ts';

export const defaultConfigFile = '/etc/picket/agent.yaml';

const isRoot = process.getuid?.() === 0;
const stateHome = process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state');
const absolute = z.string().regex(/^\//, 'an absolute path').max(4095);
const ringBytes = z
  .int()
  .min(65_536)
  .max(1 << 30)
  .refine((value) => (value & (value - 1)) === 0, 'a power of two');

/**
 * `agent.yaml`. Every key has a default; unknown keys are refused. The settings that policies depend on (settingsSchema, under
 * KubeArmor's names where it has them) can be changed at run time, all else needs a restart.
 */
export const configSchema = z.strictObject({
  stateDir: absolute
    .default(isRoot ? '/var/lib/picket/agent' : join(stateHome, 'picket', 'agent'))
    .describe('policies, workloads, spool and numbering of agent starts, mode 0700'),
  runDir: absolute.default('/run/picket').describe('control socket, mode 0700'),
  cluster: z.string().min(1).max(253).default('default').describe('ClusterName of alerts'),
  hostName: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('HostName of alerts; default: the host name of this machine'),
  backend: z
    .enum(['auto', 'lsm', 'tracepoint'])
    .default('auto')
    .describe('how the agent acts; auto: lsm where this kernel offers it'),
  pins: z
    .string()
    .regex(/^(off$|\/)/, 'off, or an absolute path')
    .max(4095)
    .default('/sys/fs/bpf/picket')
    .describe(
      'folder in a BPF file system where programs and maps stay while no agent runs, mode 0700; off: rules end with the agent',
    ),
  policies: z
    .strictObject({ dir: absolute.optional().describe('folder of *.yaml policies, read at start') })
    .prefault({}),
  collector: z
    .strictObject({
      endpoint: z
        .url({
          protocol: /^http$/,
          hostname: /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/,
          error: 'an http:// address of this machine, such as http://127.0.0.1:4317',
        })
        .default('http://127.0.0.1:4317')
        .describe('OTLP over gRPC, on this machine'),
      tokenFile: absolute
        .default('/var/lib/picket/collector/token')
        .describe('bearer token, made by whoever starts first'),
      timeoutMs: z.int().min(100).max(300_000).default(10_000).describe('for one export, in milliseconds'),
    })
    .prefault({}),
  rings: z
    .strictObject({
      denyBytes: ringBytes.default(8 * 1024 * 1024).describe('room for denials and process life; a power of two'),
      auditBytes: ringBytes.default(8 * 1024 * 1024).describe('room for all other alerts; a power of two'),
      drainEveryMs: z
        .int()
        .min(1)
        .max(1000)
        .default(5)
        .describe('pause between two looks at the rings, in milliseconds'),
    })
    .prefault({}),
  ...settingsSchema.shape,
});

export type AgentConfig = z.infer<typeof configSchema>;

/** The part of the configuration that policies depend on. */
export function settingsOf(config: AgentConfig): Settings {
  const names = Object.keys(settingsSchema.shape) as (keyof Settings)[];
  return settingsSchema.parse(Object.fromEntries(names.map((name) => [name, config[name]])));
}

/**
 * Reads and checks a configuration file; without a file name the default one, which may be absent.
 *
 * @throws AgentError `config` with file, line, column and key of everything that is wrong
 */
export function readConfig(file?: string): AgentConfig {
  const path = file ?? defaultConfigFile;
  if (file === undefined && !existsSync(path)) return configSchema.parse({});
  try {
    return parseConfig(readPolicyFile(path, { pipes: true }), path);
  } catch (cause) {
    if (!(cause instanceof PolicyFileError)) throw cause;
    const { blame, message, position } = cause;
    const place = blame === 'path' ? path : `${path}:${position.line}:${position.column}:`;
    throw new AgentError('config', `${place} ${message}`, { cause });
  }
}

/** Checks the text of a configuration file. */
export function parseConfig(text: string, file: string): AgentConfig {
  const documents = readDocuments(text, file);
  const [document] = documents;
  if (document === undefined) return configSchema.parse({});
  if (documents.length > 1)
    throw new AgentError('config', `${file}: found ${documents.length} documents; allowed: one`);
  if (document.kind === 'broken') {
    const lines = document.problems.map((p) => `${file}:${p.position.line}:${p.position.column}: ${p.message}`);
    throw new AgentError('config', lines.join('\n'));
  }
  const { data, error } = configSchema.safeParse(document.value ?? {});
  if (data) return data;
  const findings = error.issues.flatMap((issue) => explain(issue, document));
  const first = findings.filter(({ field }, i) => findings.findIndex((other) => other.field === field) === i);
  first.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const lines = first.map(({ at, field, problem }) => `${file}:${at.line}:${at.column}: ${field}: ${problem}`);
  throw new AgentError('config', lines.join('\n'));
}

interface Finding {
  at: Position;
  field: string;
  problem: string;
}

/** One issue of the schema as findings with their places; an object with several unknown keys gives one for each. */
function explain(issue: z.core.$ZodIssue, document: Extract<YamlDocument, { kind: 'value' }>): Finding[] {
  const path = issuePath(issue);
  if (issue.code !== 'unrecognized_keys') {
    const at = document.locate(path) ?? document.start;
    return [{ at, field: formatField(path) || 'document', problem: issueMessage(issue, document.value) }];
  }
  const allowed = keysAt(path).join(', ');
  return issue.keys.map((key) => ({
    at: document.locate([...path, key], 'key') ?? document.start,
    field: formatField([...path, key]),
    problem: `found a key that is not known here; allowed: ${allowed}`,
  }));
}

/** The keys that an object of the configuration may have. */
function keysAt(path: FieldPath): string[] {
  let schema: unknown = configSchema;
  for (const key of path) schema = inner((inner(schema) as { shape: Record<string, unknown> }).shape[key]);
  return Object.keys((inner(schema) as { shape: object }).shape);
}

/** The object behind prefault(). */
function inner(schema: unknown): unknown {
  let found = schema as { unwrap?: () => unknown };
  while (typeof found.unwrap === 'function') found = found.unwrap() as typeof found;
  return found;
}
