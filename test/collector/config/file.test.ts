import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseConfig, readConfig } from '../../../collector/config/file.ts';
import { type Config, defaultPlaces } from '../../../collector/config/schema.ts';

const PLACES = { stateDir: '/state', runDir: '/run/p' };
const folder = mkdtempSync(join(tmpdir(), 'picket-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function valid(text: string): Config {
  const result = parseConfig(text, 'c.yaml', PLACES);
  if (result.kind === 'wrong') throw new Error(result.findings.join('\n'));
  return result.config;
}

test('parseConfig() gives an empty file the defaults, with a store', () => {
  expect(valid('')).toMatchObject({
    stateDir: '/state',
    tokenFile: '/state/token',
    statusSocket: '/run/p/collector.sock',
    acknowledge: 'spool',
    otlp: { grpc: { address: '127.0.0.1:4317', maxMessageBytes: 16 * 1024 * 1024 } },
    store: { path: '/state/alerts.db', maxBytes: 1024 ** 3, maxAgeDays: 7 },
  });
});

test('parseConfig() drops the store for Kafka unless it is asked for', () => {
  const kafka = 'kafka: {brokers: ["a:9092", "[::1]:9093"]}\n';
  expect(valid(kafka)).toMatchObject({ store: undefined, kafka: { partitions: 6, createTopics: true } });
  expect(valid(`${kafka}store: {}\nstateDir: /x\n`).store).toMatchObject({ path: '/x/alerts.db', maxAgeDays: 7 });
  expect(valid(`${kafka}store: {path: /y.db, maxAgeDays: 0.5}\n`).store).toMatchObject({
    path: '/y.db',
    maxAgeDays: 0.5,
  });
});

test.each<[string, string, string[]]>([
  [
    'broken YAML',
    'a: [',
    ['c.yaml:1:5: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  ['a key said twice', 'log: {}\nlog: {}', ['c.yaml:2:1: Map keys must be unique']],
  ['no mapping', '- x', ['c.yaml:1:1: the file: found ["x"], must be object']],
  ['an empty section', 'otlp:\n', ['c.yaml:1:1: otlp: found null, must be object']],
  ['a missing key', 'log: {}\nkafka: {}', ['c.yaml:2:1: kafka.brokers: is missing']],
  ['no brokers', 'kafka: {brokers: []}', ['c.yaml:1:9: kafka.brokers: found [], must be at least 1 entry']],
  ['a relative path', 'stateDir: state', ['c.yaml:1:1: stateDir: found "state", must be an absolute path']],
  [
    'several things',
    'otlp:\n  grpc:\n    adress: x\n    address: 0.0.0.0:4317\nacknowledge: kafka\nkafka:\n  brokers: [nowhere]\n  partitions: many\n',
    [
      'c.yaml:3:5: otlp.grpc.adress: no such key; there are address, maxMessageBytes, maxInFlightBytes, maxConnections',
      'c.yaml:4:5: otlp.grpc.address: found "0.0.0.0:4317", must be on this machine (127.0.0.1, [::1], localhost): another address without TLS is refused',
      'c.yaml:5:1: acknowledge: found "kafka", must be "spool"',
      'c.yaml:7:13: kafka.brokers.0: found "nowhere", must be HOST:PORT, such as 127.0.0.1:4317',
      'c.yaml:8:3: kafka.partitions: found "many", must be number',
    ],
  ],
  [
    'unknown words',
    'log: {level: loud}',
    ['c.yaml:1:7: log.level: found "loud", must be "error" or "warn" or "info" or "debug"'],
  ],
])('parseConfig() says where %s stands, what was found, and what is allowed', (_, text, findings) => {
  expect(parseConfig(text, 'c.yaml', PLACES)).toEqual({ kind: 'wrong', findings });
});

test('parseConfig() does not follow a bomb of aliases', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((key, i) => `${key}: &${key} [${`*${'abcdefg'[i]},`.repeat(9)}]`),
  ];
  const findings = ['c.yaml: Excessive alias count indicates a resource exhaustion attack'];
  expect(parseConfig(bomb.join('\n'), 'c.yaml', PLACES)).toEqual({ kind: 'wrong', findings });
});

test('readConfig() tells an absent file from a wrong one', () => {
  expect(() => readConfig(join(folder, 'absent.yaml'))).toThrow(/cannot read the configuration .*absent.yaml: ENOENT/);
  const file = join(folder, 'c.yaml');
  writeFileSync(file, 'foo: 1\nbar: 2\n');
  expect(() => readConfig(file)).toThrow(`${file}:1:1: foo: no such key; there are stateDir`);
  writeFileSync(file, 'stateDir: /s\n');
  expect(readConfig(file, PLACES)).toMatchObject({ stateDir: '/s', tokenFile: '/s/token' });
});

test('defaultPlaces() are the XDG folders for anybody but root', () => {
  expect(defaultPlaces(0, {})).toEqual({ stateDir: '/var/lib/picket/collector', runDir: '/run/picket' });
  expect(defaultPlaces(7, { HOME: '/h' })).toEqual({
    stateDir: '/h/.local/state/picket/collector',
    runDir: '/run/user/7/picket',
  });
  expect(defaultPlaces(7, { XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r' })).toEqual({
    stateDir: '/s/picket/collector',
    runDir: '/r/picket',
  });
});
