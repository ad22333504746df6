import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeJson, escapeText } from '../../../collector/alerts/escape.ts';
import { alertTable } from '../../../collector/alerts/table.ts';
import { encodeAlertJson } from '../../../otel/alert.ts';
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

test('alertTable() shows an alert on one line, in local time, and everything hostile escaped', () => {
  const alert = sampleAlert(0, {
    Resource: `/tmp/${HOSTILE}`,
    NamespaceName: '\x1b[2J',
    PolicyName: '\u202eycilop',
    ProcessName: '/bin/\x9bx',
  });
  const [head, line, ...rest] = alertTable([alert], true, { width: undefined, colour: false }).split('\n');
  expect(rest).toEqual(['']);
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

test('alertTable() fits the terminal, and has no head after the first page', () => {
  const alerts = [
    sampleAlert(0, { Resource: '/'.padEnd(4000, 'x') }),
    sampleAlert(1, { PodName: undefined, NamespaceName: undefined }),
  ];
  const lines = alertTable(alerts, false, { width: 100, colour: false }).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(104);
  expect(lines[0]).toContain('…');
  expect(lines[1]).toContain('vagrant');
});

test('alertTable() colours the action and nothing that came from outside', () => {
  const text = alertTable([sampleAlert(0, { Action: 'Block' })], false, { width: undefined, colour: true });
  expect(text).toContain('\x1b[31mBlock\x1b[39m');
});
