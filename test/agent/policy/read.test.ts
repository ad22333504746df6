import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../../agent/policy/diagnostic.ts';
import { fileLimits } from '../../../agent/policy/document.ts';
import { objectLimits } from '../../../agent/policy/plain.ts';
import { maxPolicyRules, parsePolicyObject, readPolicies } from '../../../agent/policy/read.ts';
import { ksp } from './objects.ts';

const good = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: good, namespace: demo}
spec:
  file:
    matchPaths:
      - path: /a
        readOnly: true
`;

describe('readPolicies()', () => {
  it('reads several documents and leaves out empty ones', () => {
    const readings = readPolicies(
      `# only a comment\n---\n---\n${good}---\n${good.replace('good', 'other')}...\n---\n# end\n`,
      'f.yaml',
    );
    expect(readings.map(({ policy }) => policy?.name)).toEqual(['good', 'other']);
    expect(readings[1]?.start).toEqual({ file: 'f.yaml', line: 13, column: 1 });
  });

  it('knows file, line and column of each rule', () => {
    const [reading] = readPolicies(`---\n${good}`, 'dir/f.yaml');
    expect(reading?.policy?.rules[0]?.position).toEqual({ file: 'dir/f.yaml', line: 8, column: 9 });
  });

  it.each([
    [
      'a wrong value at the value',
      good.replace('/a', 'a'),
      'f.yaml:7:15: error InvalidValue KubeArmorPolicy demo/good spec.file.matchPaths[0].path: found "a"; allowed: a path that begins with "/"',
    ],
    [
      'an unknown field at its key',
      good.replace('readOnly', 'readonly'),
      'f.yaml:8:9: warning UnknownField KubeArmorPolicy demo/good spec.file.matchPaths[0].readonly: "readonly" means nothing here; ignored',
    ],
    [
      'a missing field at its parent',
      good.replace('path: /a', 'ownerOnly: true'),
      'f.yaml:7:9: error InvalidValue KubeArmorPolicy demo/good spec.file.matchPaths[0].path: found nothing; allowed: a string',
    ],
    [
      'a wrong kind',
      good.replace('KubeArmorPolicy', 'Deployment'),
      'f.yaml:2:7: error InvalidValue Deployment good kind: found "Deployment"; allowed: KubeArmorPolicy, KubeArmorClusterPolicy, KubeArmorHostPolicy',
    ],
    [
      'a value reached through an alias',
      good.replace('/a\n', '&x a\n').replace('readOnly: true', 'message: *x'),
      'f.yaml:7:18: error',
    ],
    ['a YAML error', good.replace('{name: good,', '{name: good'), 'f.yaml:3:'],
    ['a tab', good.replace('  file:', '\tfile:'), 'f.yaml:5:1: error InvalidValue: found a YAML error: '],
    [
      'a key that stands twice',
      `${good}      - path: /b\n        path: /c\n`,
      'f.yaml:10:9: error InvalidValue: found the key "path" twice in one map',
    ],
    [
      'a key that is no text',
      good.replace('readOnly: true', '? [a]\n        : b'),
      'f.yaml:8:11: error InvalidValue: found a key that is no text (a template that was not filled in?); allowed: text',
    ],
    [
      'a template',
      good.replace('name: good', 'name: {{ .Values.name }}'),
      'f.yaml:3:19: error InvalidValue: found a key that is no text (a template',
    ],
    [
      'an alias without an anchor',
      good.replace('/a\n', '*p\n'),
      'f.yaml:7:15: error InvalidValue: found the alias *p, and no anchor of that name before',
    ],
    [
      'a merge key that holds no map',
      good.replace('readOnly: true', '<<: text'),
      'f.yaml:8:9: error InvalidValue: found a merge key << that holds no map; allowed: a map',
    ],
    [
      'a tag that means nothing here',
      good.replace('/a\n', '!secret /a\n'),
      'f.yaml:7:15: error InvalidValue: found the tag !secret; allowed: values without tags',
    ],
    [
      'a value that is no data',
      good.replace('/a\n', '!!binary aGVsbG8=\n'),
      'f.yaml:7:24: error InvalidValue KubeArmorPolicy demo/good spec.file.matchPaths[0].path: found something else; allowed: maps, lists',
    ],
    [
      'a list of objects, as kubectl writes one',
      'apiVersion: v1\nkind: List\nitems: []\n',
      'f.yaml:2:7: error InvalidValue List kind: found "List"; allowed: KubeArmorPolicy, KubeArmorClusterPolicy, KubeArmorHostPolicy; make each of its items a document of its own',
    ],
    ['no map but a list', '- a\n- b\n', 'f.yaml:1:1: error InvalidValue: found a list of 2; allowed: a policy object'],
    [
      'a number that is no number',
      `${good}  severity: .nan\n`,
      'f.yaml:9:13: error InvalidValue KubeArmorPolicy demo/good spec.severity: found NaN; allowed: an integer from 1 to 10',
    ],
    [
      'a number beyond all integers',
      `${good}  severity: 99999999999999999999\n`,
      'f.yaml:9:13: error InvalidValue KubeArmorPolicy demo/good spec.severity: found 100000000000000000000; allowed: an integer from 1 to 10',
    ],
    [
      'a name that is a number',
      good.replace('name: good', 'name: 123'),
      'f.yaml:3:18: error InvalidValue KubeArmorPolicy demo metadata.name: found 123; allowed: a string',
    ],
    [
      'a value that stands empty',
      good.replace('path: /a', 'path:'),
      'f.yaml:7:14: error InvalidValue KubeArmorPolicy demo/good spec.file.matchPaths[0].path: found nothing; allowed: a string',
    ],
    [
      'a text that is no map',
      'just text\n',
      'f.yaml:1:1: error InvalidValue: found "just text"; allowed: a policy object',
    ],
  ])('reports %s, and reads the documents around it', (_, text, line) => {
    const readings = readPolicies(`${text}\n---\n${good.replace('good', 'last')}`, 'f.yaml');
    const lines = readings.flatMap(({ diagnostics }) => diagnostics.map(formatDiagnostic));
    expect(
      lines.find((found) => found.startsWith(line)),
      lines.join('\n'),
    ).toBeDefined();
    expect(readings.at(-1)).toMatchObject({ status: 'Accepted', policy: { name: 'last' } });
  });

  it('says once what is wrong with one value', () => {
    const [reading] = readPolicies(`${good}  severity: 99999999999999999999\n`, 'f.yaml');
    expect(reading?.diagnostics).toHaveLength(1);
  });

  it.each([
    ['ends of lines as Windows writes them', good.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${good}`],
    ['no end of the last line', good.trimEnd()],
    ['words of YAML 1.1 where it says so', `%YAML 1.1\n---\n${good.replace('true', 'yes')}`],
    ['a merge key', good.replace('readOnly: true', '<<: {readOnly: true, path: /other}')],
    [
      'a merge key with an alias',
      good.replace('spec:', 'spec: &spec').replace('readOnly: true', '<<: &x {readOnly: true}'),
    ],
  ])('takes %s', (_, text) => {
    const [reading, ...others] = readPolicies(text, 'f.yaml');
    expect(reading).toMatchObject({ status: 'Accepted', diagnostics: [] });
    expect(reading?.policy?.rules).toMatchObject([{ object: { path: '/a' }, qualifiers: { readOnly: true } }]);
    expect(others).toEqual([]);
  });

  it('reads JSON', () => {
    expect(
      readPolicies(JSON.stringify(ksp({ file: { matchPaths: [{ path: '/a' }] } }), null, 1), 'f.json'),
    ).toMatchObject([{ status: 'Accepted' }]);
  });

  it('reads a file without documents as no policies', () => {
    expect(readPolicies('', 'f.yaml')).toEqual([]);
    expect(readPolicies('# nothing\n', 'f.yaml')).toEqual([]);
  });

  it('reads an anchor that is used twice', () => {
    const text = good
      .replace('- path: /a', '- &rule\n        path: /a')
      .replace('readOnly: true', 'readOnly: true\n      - *rule');
    expect(readPolicies(text, 'f.yaml')[0]?.policy?.rules).toHaveLength(2);
  });
});

describe('readPolicies() stays inside its bounds', () => {
  const refused = (text: string, message: string) => {
    const started = performance.now();
    const readings = readPolicies(`${text}\n---\n${good}`, 'f.yaml');
    expect(readings[0]?.diagnostics[0]?.message).toContain(message);
    expect(readings[0]?.policy).toBeUndefined();
    expect(readings[1]?.policy?.name).toBe('good');
    expect(performance.now() - started).toBeLessThan(10_000);
  };

  it('with an alias bomb', () => {
    let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x]\n';
    for (let i = 1; i < 12; i++) bomb += `a${i}: &a${i} [${new Array(9).fill(`*a${i - 1}`).join(',')}]\n`;
    refused(bomb, 'alias');
  });

  it('with aliases to one long list', () => {
    const rules = new Array(10_000).fill('{path: /a}').join(',');
    refused(`l: &l [${rules}]\nm: [${new Array(99).fill('*l').join(',')}]`, `${objectLimits.values} values`);
  });

  it('with deep nesting', () => refused(`${'['.repeat(50_000)}`, 'nested too deep'));

  it('with nesting a little too deep', () =>
    refused(`a: ${'['.repeat(100)}${']'.repeat(100)}`, `nested at most ${objectLimits.depth} deep`));

  it('with an alias to itself', () => refused('a: &a [*a]', 'nested at most'));

  it('with a merge of itself', () => refused('a: &a\n  <<: *a\n  b: 1', 'found'));

  it('with a map of very many keys', () => {
    let text = good;
    for (let i = 0; i < 30_000; i++) text += `k${i}: 1\n`;
    const started = performance.now();
    expect(readPolicies(text, 'f.yaml')[0]?.status).toBe('Partial');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('with a file that is too long', () => {
    const readings = readPolicies(`#${'x'.repeat(fileLimits.bytes)}\n${good}`, 'f.yaml');
    expect(readings).toMatchObject([
      { status: 'Invalid', diagnostics: [{ message: expect.stringContaining(`at most ${fileLimits.bytes}`) }] },
    ]);
  });

  it('with too many documents', () => {
    const readings = readPolicies(`a: 1\n---\n`.repeat(fileLimits.documents + 5), 'f.yaml');
    expect(readings).toHaveLength(fileLimits.documents + 1);
    expect(readings.at(-1)?.diagnostics[0]?.message).toContain('more documents');
  });

  it('with too many rules', () => {
    const matchPaths = new Array(maxPolicyRules + 1).fill({ path: '/a' });
    const reading = parsePolicyObject(ksp({ file: { matchPaths } }));
    expect(reading.policy).toBeUndefined();
    expect(reading.diagnostics[0]?.message).toContain(`at most ${maxPolicyRules}`);
  });
});
