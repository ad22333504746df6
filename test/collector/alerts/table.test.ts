import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeJson, escapeText } from '../../../collector/alerts/escape.ts';
import { AlertTable } from '../../../collector/alerts/table.ts';
import { type Alert, encodeAlertJson } from '../../../otel/alert.ts';
import { sampleAlert } from '../samples.ts';

/** ESC, BEL, newline, carriage return, DEL, C1 CSI, right-to-left override, isolate, zero-width space, line separator, BOM. */
const HOSTILE = '\x1b]0;t\x07\n\r\x7f\x9b31m\u202e\u2066\u200b\u2028\ufeff\u{e0041}';
const PLAIN = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

test('escapeText() writes controls as in JSON and leaves everything else', () => {
  expect(escapeText('/home/ünï ☃ 日本/\\x')).toBe('/home/ünï ☃ 日本/\\x');
  expect(escapeText(HOSTILE)).toBe(
    '\\u001b]0;t\\u0007\\u000a\\u000d\\u007f\\u009b31m\\u202e\\u2066\\u200b\\u2028\\ufeff\\udb40\\udc41',
  );
  expect(escapeText('\ud800')).toBe('\\ud800');
});

test('escapeText() and escapeJson() let nothing through that drives a terminal; the JSON stays the same value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escapeText(text)).toMatch(PLAIN);
      const json = escapeJson(JSON.stringify({ text }));
      expect(json).toMatch(PLAIN);
      expect(JSON.parse(json)).toEqual({ text });
    }),
  );
});

test('escapeJson() leaves a usual alert byte for byte as on Kafka', () => {
  expect(escapeJson(encodeAlertJson(sampleAlert(1)))).toBe(encodeAlertJson(sampleAlert(1)));
});

const page = (alerts: Alert[], width?: number, colour = false) =>
  new AlertTable({ width, colour }).page(alerts).trimEnd().split('\n');

test('AlertTable shows an alert on one line, in local time, and everything hostile escaped', () => {
  const alert = sampleAlert(0, {
    Resource: `/tmp/${HOSTILE}`,
    NamespaceName: '\x1b[2J',
    PolicyName: '\u202eycilop',
    ProcessName: '/bin/\x9bx',
  });
  const [head, line, ...rest] = page([alert]);
  expect(rest).toEqual([]);
  expect(head).toMatch(/^TIME +WORKLOAD +POLICY +ACTION +OPERATION +RESOURCE +PROCESS *$/);
  const offset = new Date(alert.UpdatedTime).getTimezoneOffset();
  const local = new Date(Date.parse(alert.UpdatedTime) - offset * 60_000).toISOString();
  expect(line).toContain(`${local.slice(0, 10)} ${local.slice(11, 23)}`);
  expect(line).toContain(`\\u001b[2J/${alert.PodName}`);
  expect(line).toContain('\\u202eycilop');
  expect(line).toMatch(/Audit +Syscall +\/tmp\/\\u001b\]0;t\\u0007/);
  expect(line).toContain('/bin/\\u009bx');
  expect(line).toMatch(PLAIN);
});

test.each([80, 109, 110, 200])('AlertTable fits a terminal of %i columns', (width) => {
  const long = sampleAlert(0, { Resource: '/'.padEnd(4000, 'x'), Action: 'Audit (Block)' });
  const { PodName: _, NamespaceName: __, ...host } = sampleAlert(1);
  const lines = page([long, host], width);
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(width + 2);
  expect(lines[1]).toMatch(/ Audit \(Block\) .*\/x+…/);
  expect(lines[2]).toMatch(/ vagrant +audit-all.* Audit +Syscall +\/home\/secret/);
});

test('AlertTable cuts nothing that the terminal has room for, nor when there is none', () => {
  for (const width of [200, undefined]) {
    const [, line] = page([sampleAlert(0)], width);
    expect(line).toMatch(
      /default\/ubuntu-1-6779f689b5-jjcvh +audit-all-unlink +Audit +Syscall +\/home\/secret.txt +\/usr\/bin\/unlink/,
    );
  }
});

test('AlertTable names its columns once, and keeps their widths', () => {
  const table = new AlertTable({ width: 120, colour: false });
  const [, first] = table.page([sampleAlert(0)]).split('\n');
  const [second, ...rest] = table
    .page([sampleAlert(0, { PolicyName: 'p', Resource: '/'.padEnd(500, 'x') })])
    .split('\n');
  expect(rest).toEqual(['']);
  expect(first).toContain('  /home/secret.txt');
  expect(second?.indexOf('/xxx')).toBe(first?.indexOf('/home/secret.txt'));
});

test('AlertTable colours the action and nothing that came from outside', () => {
  const [, line] = page([sampleAlert(0, { Action: 'Block' })], undefined, true);
  expect(line).toContain('\x1b[31mBlock\x1b[39m');
  expect(line?.replace('\x1b[31m', '').replace('\x1b[39m', '')).toMatch(PLAIN);
});
