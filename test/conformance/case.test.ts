import { describe, expect, test } from 'vitest';
import { CaseError, listCases, parseCase, readCase } from './case.ts';

const folder = new URL('cases', import.meta.url).pathname;

const minimal = `
case: small
about: The least there can be.
policies: []
steps:
- in: ubuntu-1
  run: echo hi
  expect: allowed
`;

function faultsOf(text: string): string[] {
  try {
    parseCase(text, 'small.yaml');
  } catch (error) {
    if (error instanceof CaseError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('parseCase()', () => {
  test('fills in the defaults', () => {
    expect(parseCase(minimal, 'cases/small.yaml')).toMatchObject({
      needs: [],
      namespace: 'multiubuntu',
      posture: { file: 'block', network: 'block', capabilities: 'block' },
      steps: [{ kind: 'command', as: 'root', tty: false, alerts: [], noAlerts: [], diagnostics: [] }],
    });
  });

  test('takes every form of a step', () => {
    const text = `${minimal}
- apply: [{apiVersion: v1, kind: K, metadata: {name: n}}]
- delete: [n]
- posture: {file: audit}
- annotate: {pods: {ubuntu-1: {a: b}}}
- start: {namespace: n, pod: p, labels: {}, containers: [c]}`;
    expect(parseCase(text, 'small.yaml').steps.map(({ kind }) => kind)).toEqual([
      'command',
      'apply',
      'delete',
      'posture',
      'annotate',
      'start',
    ]);
  });

  test.for([
    ['an unknown key', `${minimal}polices: []\n`, ['small.yaml:9: polices: is not a key of the format']],
    [
      'an unknown key of a step',
      `${minimal}  outputs: x\n`,
      ['small.yaml:9: steps[0].outputs: is not a key of the format'],
    ],
    ['a wrong value', minimal.replace('allowed', 'maybe'), ['small.yaml:8: steps[0].expect: ']],
    ['neither run nor exec', minimal.replace('  run: echo hi\n', ''), ['small.yaml:6: steps[0]: either run or exec']],
    ['a broken expression', `${minimal}  output: "("\n`, ['small.yaml:9: steps[0].output: Invalid regular expression']],
    [
      'a wrong pattern',
      `${minimal}  alerts:\n  - A: {has: b}\n`,
      ['small.yaml:10: steps[0].alerts[0].A: a plain value'],
    ],
    ['an empty pattern', `${minimal}  alerts: [{}]\n`, ['small.yaml:9: steps[0].alerts[0]: at least one field']],
    [
      'another name',
      minimal.replace('small', 'other'),
      ['small.yaml:2: case: is other, the name of the file says small'],
    ],
    ['broken YAML', 'case: [', ['small.yaml:1: Flow sequence']],
    ['no YAML map', 'nothing', ['small.yaml:1: Invalid input: expected object']],
    [
      'two faults',
      minimal.replace('allowed', 'maybe').replace('in: ubuntu-1', 'in: a/b/c/d'),
      ['small.yaml:6: steps[0].in: ', 'small.yaml:8: steps[0].expect: '],
    ],
  ] as const)('tells file, line and key of %s', ([, text, expected]) => {
    const faults = faultsOf(text);
    for (const [i, start] of expected.entries())
      expect(faults[i]).toMatch(new RegExp(`^${start.replace(/[[\]().]/g, '\\$&')}`));
  });

  test.for(listCases(folder))('reads %s', (file) => {
    expect(readCase(file).steps.length).toBeGreaterThan(0);
  });
});
