import { describe, expect, test } from 'vitest';
import { formatJunit, formatResult, formatSum, type Result } from './report.ts';

const results: Result[] = [
  { name: 'a', seconds: 1.25, verdict: { kind: 'passed' } },
  { name: 'b', seconds: 2, verdict: { kind: 'failed', faults: ['step 1', 'output "<x>"\u0000\nmore'] } },
  { name: 'c', seconds: 0, verdict: { kind: 'skipped', reason: 'needs dns' } },
];

describe('formatResult()', () => {
  test('says name and time, and what went wrong below', () => {
    expect(results.map(formatResult)).toEqual([
      'ok   a (1.3 s)',
      'FAIL b (2.0 s)\n       step 1\n       output "<x>"\u0000\n       more',
      'skip c (0.0 s): needs dns',
    ]);
  });
});

describe('formatSum()', () => {
  test('counts each verdict', () => {
    expect(formatSum(results)).toBe('1 passed, 1 failed, 1 skipped');
  });
});

describe('formatJunit()', () => {
  test('writes well-formed XML with all results', () => {
    expect(formatJunit(results).split('\n')).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites tests="3" failures="1" errors="0" skipped="1" time="3.250">',
      '  <testsuite name="conformance" tests="3" failures="1" errors="0" skipped="1" time="3.250">',
      '    <testcase classname="conformance" name="a" time="1.250"/>',
      '    <testcase classname="conformance" name="b" time="2.000"><failure message="step 1">output &quot;&lt;x&gt;&quot;\ufffd&#10;more</failure></testcase>',
      '    <testcase classname="conformance" name="c" time="0.000"><skipped message="needs dns"/></testcase>',
      '  </testsuite>',
      '</testsuites>',
      '',
    ]);
  });
});
