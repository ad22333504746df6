import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type AgentConfig, configSchema, parseConfig, readConfig, settingsOf } from '../../agent/config.ts';
import { configJsonSchema, configTable, defaultsYaml, referenceFiles } from '../../agent/config-reference.ts';
import { AgentError } from '../../agent/error.ts';
import { defaultSettings } from '../../agent/policy/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'picket-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keys = [...configTable().matchAll(/^\| `([\w.]+)` \|/gm)].map((match) => match[1] as string);

/** The lines of the error that the text gives. */
function findings(text: string): string[] {
  try {
    parseConfig(text, 'agent.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(AgentError);
    expect((error as AgentError).code).toBe('config');
    return (error as AgentError).message.split('\n');
  }
  throw new Error('it was accepted');
}

/** `a.b` with a value as YAML; the value's line and column follow from its depth. */
function yamlOf(key: string, value: string): { text: string; place: string } {
  const parts = key.split('.');
  const text = parts.map((part, depth) => `${'  '.repeat(depth)}${part}:`).join('\n');
  const column = (text.split('\n').at(-1) ?? '').length + 2;
  return { text: `# a comment\n${text} ${value}\n`, place: `agent.yaml:${parts.length + 1}:${column}` };
}

describe('parseConfig()', () => {
  it('gives defaults for an empty file, comments alone, and an empty map', () => {
    for (const text of ['', '# nothing\n', '{}', '---\n', 'policies: {}\n'])
      expect(parseConfig(text, 'f')).toEqual(configSchema.parse({}));
  });

  it('reads every key', () => {
    const config = parseConfig(
      `stateDir: /s\nrunDir: /r\ncluster: c\nhostName: h\nbackend: tracepoint\npins: off\npolicies: {dir: /p}
collector: {endpoint: "http://[::1]:1234", tokenFile: /t, timeoutMs: 100}
rings: {denyBytes: 65536, auditBytes: 131072, drainEveryMs: 1}
defaultFilePosture: audit\ndefaultNetworkPosture: audit\ndefaultCapabilitiesPosture: audit
hostDefaultFilePosture: block\nhostDefaultNetworkPosture: block\nhostDefaultCapabilitiesPosture: block
nodeLabels: {zone: a}
untrackedNs: []\nfileBaseline: off\nioUring: deny\nenforcement: audit\nnamespaceAnnotations: {shop: {kubearmor-file-posture: audit}}`,
      'f',
    );
    expect(config).toEqual({
      stateDir: '/s',
      runDir: '/r',
      cluster: 'c',
      hostName: 'h',
      backend: 'tracepoint',
      pins: 'off',
      policies: { dir: '/p' },
      collector: { endpoint: 'http://[::1]:1234', tokenFile: '/t', timeoutMs: 100 },
      rings: { denyBytes: 65536, auditBytes: 131072, drainEveryMs: 1 },
      defaultFilePosture: 'audit',
      defaultNetworkPosture: 'audit',
      defaultCapabilitiesPosture: 'audit',
      hostDefaultFilePosture: 'block',
      hostDefaultNetworkPosture: 'block',
      hostDefaultCapabilitiesPosture: 'block',
      nodeLabels: { zone: 'a' },
      untrackedNs: [],
      fileBaseline: 'off',
      ioUring: 'deny',
      enforcement: 'audit',
      namespaceAnnotations: { shop: { 'kubearmor-file-posture': 'audit' } },
    } satisfies AgentConfig);
    const { defaultFilePosture, ...others } = settingsOf(config);
    expect([defaultFilePosture, Object.keys(others).length]).toEqual(['audit', 11]);
    expect(settingsOf(configSchema.parse({}))).toEqual(defaultSettings);
  });

  const wrong: [key: string, value: string, message: string][] = [
    ['stateDir', 'here', 'found "here"; allowed: an absolute path'],
    ['runDir', '17', 'found 17; allowed: a string'],
    ['cluster', '""', 'found ""; allowed: at least 1 characters'],
    ['hostName', '{}', 'found a map; allowed: a string'],
    ['backend', 'lms', 'found "lms"; allowed: auto, lsm, tracepoint'],
    ['pins', 'on', 'found "on"; allowed: off, or an absolute path'],
    ['policies', 'yes', 'found "yes"; allowed: a map'],
    ['policies.dir', './p', 'found "./p"; allowed: an absolute path'],
    ['collector', '[1]', 'found a list of 1; allowed: a map'],
    [
      'collector.endpoint',
      'http://collector.example:4317',
      'found "http://collector.example:4317"; allowed: an http:// address of this machine, such as http://127.0.0.1:4317',
    ],
    [
      'collector.endpoint',
      'https://127.0.0.1:4317',
      'found "https://127.0.0.1:4317"; allowed: an http:// address of this machine, such as http://127.0.0.1:4317',
    ],
    [
      'collector.endpoint',
      '127.0.0.1:4317',
      'found "127.0.0.1:4317"; allowed: an http:// address of this machine, such as http://127.0.0.1:4317',
    ],
    ['collector.tokenFile', 'token', 'found "token"; allowed: an absolute path'],
    ['collector.timeoutMs', '5', 'found 5; allowed: at least 100'],
    ['collector.timeoutMs', '1.5', 'found 1.5; allowed: an integer'],
    ['rings', 'null', 'found null; allowed: a map'],
    ['rings.denyBytes', '65537', 'found 65537; allowed: a power of two'],
    ['rings.auditBytes', '2147483648', 'found 2147483648; allowed: at most 1073741824'],
    ['rings.drainEveryMs', '0', 'found 0; allowed: at least 1'],
    ['defaultFilePosture', 'deny', 'found "deny"; allowed: block, audit'],
    ['defaultNetworkPosture', 'true', 'found true; allowed: block, audit'],
    ['defaultCapabilitiesPosture', '{}', 'found a map; allowed: block, audit'],
    ['hostDefaultFilePosture', 'off', 'found "off"; allowed: block, audit'],
    ['hostDefaultNetworkPosture', '1', 'found 1; allowed: block, audit'],
    ['hostDefaultCapabilitiesPosture', 'x', 'found "x"; allowed: block, audit'],
    ['nodeLabels', 'zone', 'found "zone"; allowed: a map'],
    ['untrackedNs', 'kube-system', 'found "kube-system"; allowed: a list'],
    ['fileBaseline', 'yes', 'found "yes"; allowed: on, off'],
    ['ioUring', 'no', 'found "no"; allowed: allow, deny'],
    ['enforcement', 'none', 'found "none"; allowed: enforce, audit'],
    ['namespaceAnnotations', 'shop', 'found "shop"; allowed: a map'],
    ['namespaceAnnotations.shop', 'x', 'found "x"; allowed: a map'],
    ['namespaceAnnotations.shop.key', '5', 'found 5; allowed: a string'],
  ];

  it.each(wrong)('%s: %s is refused with its place', (key, value, message) => {
    const { text, place } = yamlOf(key, value);
    expect(findings(text)).toEqual([`${place}: ${key}: ${message}`]);
  });

  it('has a case for every key that there is', () => {
    expect(keys.length).toBeGreaterThan(15);
    expect(keys.filter((key) => !wrong.some(([known]) => known === key))).toEqual([]);
  });

  it('finds everything that is wrong at once', () => {
    expect(findings('backend: x\nrings:\n  denyBytes: 1\ncolector: {}\npolicies: {dirs: 1, folder: 2}\n')).toEqual([
      'agent.yaml:1:10: backend: found "x"; allowed: auto, lsm, tracepoint',
      'agent.yaml:3:14: rings.denyBytes: found 1; allowed: at least 65536',
      'agent.yaml:4:1: colector: found a key that is not known here; allowed: stateDir, runDir, cluster, hostName, backend, pins, policies, collector, rings, defaultFilePosture, defaultNetworkPosture, defaultCapabilitiesPosture, hostDefaultFilePosture, hostDefaultNetworkPosture, hostDefaultCapabilitiesPosture, nodeLabels, untrackedNs, fileBaseline, ioUring, enforcement, namespaceAnnotations',
      'agent.yaml:5:12: policies.dirs: found a key that is not known here; allowed: dir',
      'agent.yaml:5:21: policies.folder: found a key that is not known here; allowed: dir',
    ]);
  });

  it.each([
    ['backend: [', /^agent.yaml:1:\d+: found a YAML error: /],
    ['backend: lsm\nbackend: auto', /^agent.yaml:2:1: found the key "backend" twice/],
    ['just words', /^agent.yaml:1:1: document: found "just words"; allowed: a map$/],
    ['- a\n- b', /^agent.yaml:1:1: document: found a list of 2; allowed: a map$/],
    ['backend: lsm\n---\nbackend: auto', /^agent.yaml: found 2 documents; allowed: one$/],
  ])('refuses %j', (text, message) => {
    expect(findings(text)[0]).toMatch(message);
  });
});

describe('readConfig()', () => {
  it('reads a file, and says which one cannot be read', () => {
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, 'cluster: mine\n');
    expect(readConfig(file).cluster).toBe('mine');
    expect(() => readConfig(join(folder, 'nothing.yaml'))).toThrow(/nothing.yaml cannot be read: ENOENT/);
    expect(() => readConfig(folder)).toThrow(/cannot be read: it is a folder; allowed: a file/);
    writeFileSync(file, Buffer.from('cluster: m\u00fc\n', 'latin1'));
    expect(() => readConfig(file)).toThrow(`${file}:1:11: found the byte 0xFC, which is not UTF-8 here`);
  });
});

describe('the reference of the configuration', () => {
  // After a change: node agent/config-reference.ts && biome check --write agent/config.schema.json
  it('configTable() and configJsonSchema() are what is committed', () => {
    expect(readFileSync(referenceFiles.table, 'utf8')).toBe(configTable());
    expect(JSON.parse(readFileSync(referenceFiles.jsonSchema, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(configJsonSchema())),
    );
  });

  it('defaultsYaml() can be read back and says the defaults', () => {
    const text = defaultsYaml();
    expect(parseConfig(text, 'defaults')).toEqual({ ...configSchema.parse({}), stateDir: '/var/lib/picket/agent' });
    for (const key of keys) expect(text).toMatch(new RegExp(`^ *(# )?${key.split('.').at(-1)}:`, 'm'));
  });

  it('defaultsYaml() is still a valid file when what is commented out is filled in', () => {
    const text = defaultsYaml()
      .replace(/^# hostName:$/m, 'hostName: mine')
      .replace(/^# policies:$/m, 'policies:')
      .replace(/^ {2}# dir:$/m, '  dir: /p');
    expect(parseConfig(text, 'defaults')).toMatchObject({ hostName: 'mine', policies: { dir: '/p' } });
  });
});
