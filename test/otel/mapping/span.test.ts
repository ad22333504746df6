import { describe, expect, it } from 'vitest';
import type { VerdictAlert } from '../../../otel/alert.ts';
import { processSpanId, traceHour } from '../../../otel/ids.ts';
import { type ProcessIdentity, processSpan, toSpan } from '../../../otel/mapping/mapping.ts';
import { encodeSpan } from '../../../otel/otlp/span.ts';
import { unlinkAlert } from '../sample-alerts.ts';

const bootId = '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55';
const spanId = processSpanId(bootId, 296264, 95301000000n);
const context = { observedNs: 1n, kernelRelease: '6.1.0', bootId, errno: 0, processSpanId: spanId };

function names(pairs: readonly { key: string }[]): string[] {
  return pairs.map(({ key }) => key).sort();
}

describe('toSpan()', () => {
  it('is a child of the span of its process, in the trace of the alert', () => {
    const { attributes, ...span } = toSpan(unlinkAlert, context);
    expect(span).toEqual({
      traceId: '4b801ecef4da8ba67f6098388466e4a3',
      spanId: '810fefb32af86fb2',
      traceState: '',
      parentSpanId: 'fe53e2bce12ff43b',
      flags: 1,
      name: 'audit syscall unlink',
      kind: 1,
      startTimeUnixNano: 1661936135368285000n,
      endTimeUnixNano: 1661936135368286000n,
      events: [{ timeUnixNano: 1661936135368285000n, name: 'picket.alert.syscall', attributes: [] }],
      links: [],
    });
    expect(names(attributes)).toEqual([
      'file.path',
      'log.record.uid',
      'picket.action',
      'picket.errno',
      'picket.outcome',
      'picket.process.parent_executable_path',
      'picket.process.parent_vpid',
      'picket.severity',
      'picket.syscall.name',
      'process.command_line',
      'process.executable.name',
      'process.executable.path',
      'process.parent_pid',
      'process.pid',
      'process.user.id',
      'process.vpid',
      'security_rule.category',
      'security_rule.name',
    ]);
  });

  it('is an error when the access was refused', () => {
    expect(toSpan({ ...unlinkAlert, Action: 'Block', Result: 'Killed' }, context).status).toEqual({
      code: 2,
      message: '',
    });
  });

  it('points at the root in the trace of the hour before', () => {
    const previous = { previousTraceId: 'ab'.repeat(16), rootSpanId: 'cd'.repeat(8) };
    expect(toSpan(unlinkAlert, { ...context, ...previous }).links).toMatchObject([
      { traceId: previous.previousTraceId, spanId: previous.rootSpanId },
    ]);
  });

  it.each<[string, Partial<VerdictAlert>]>([
    ['deny file open', { Operation: 'File', Data: 'lsm=FILE_OPEN', Result: 'Permission denied' }],
    ['deny process exec', { Operation: 'Process', Data: 'lsm=SECURITY_BPRM_CHECK', Result: 'Killed' }],
    ['audit network create', { Operation: 'Network', Data: 'lsm=SOCKET_CREATE protocol=TCP' }],
    ['audit capability use', { Operation: 'Capabilities', Data: 'lsm=CAPABLE CAP_NET_RAW' }],
    ['audit syscall unlinkat', { Data: 'syscall=SYS_UNLINKAT flags=AT_REMOVEDIR' }],
    ['audit file', { Operation: 'File', Data: 'lsm=/etc/passwd' }],
    ['audit syscall', { Data: 'syscall=/etc/passwd' }],
    ['audit file', { Operation: 'File', Data: 'lsm=constructor' }],
  ])('is named "%s", never after what a process chose', (name, change) => {
    expect(toSpan({ ...unlinkAlert, ...change }, context).name).toBe(name);
  });
});

describe('processSpan()', () => {
  const eventSeconds = 1661936135;
  const process: ProcessIdentity = {
    pid: 296264,
    vpid: 65,
    startNs: 95301000000n,
    startUnixNs: 1661936130123456789n,
    executable: '/usr/bin/unlink',
    commandLine: '/usr/bin/unlink home/secret.txt',
    uid: 0,
    parentSpanId: processSpanId(bootId, 255296, 81250000000n),
    spanId,
    traceId: unlinkAlert.Picket.TraceID,
    hour: traceHour(eventSeconds),
  };

  it('holds what is fixed at exec and nothing else', () => {
    const { attributes, ...span } = processSpan(process);
    expect(span).toEqual({
      traceId: process.traceId,
      spanId: 'fe53e2bce12ff43b',
      traceState: '',
      parentSpanId: process.parentSpanId,
      flags: 1,
      name: 'unlink',
      kind: 1,
      startTimeUnixNano: 1661936130123456789n,
      endTimeUnixNano: 1661936130123457789n,
      events: [],
      links: [],
    });
    expect(Object.fromEntries(attributes.map(({ key, value }) => [key, 'value' in value && value.value]))).toEqual({
      'process.pid': 296264,
      'process.vpid': 65,
      'process.executable.path': '/usr/bin/unlink',
      'process.command_line': '/usr/bin/unlink home/secret.txt',
      'process.user.id': 0,
      'process.creation.time': '2022-08-31T08:55:30.123456Z',
    });
  });

  it('is the same bytes for the same process, whichever object it came in', () => {
    const again = Object.fromEntries(Object.entries(process).reverse()) as unknown as ProcessIdentity;
    expect(encodeSpan(processSpan(again))).toEqual(encodeSpan(processSpan(process)));
  });

  it('starts with the hour when the process is older, and keeps the true start', () => {
    const later = processSpan({ ...process, hour: process.hour + 2 });
    expect(later.startTimeUnixNano).toBe(BigInt(process.hour + 2) * 3_600_000_000_000n);
    expect(later.endTimeUnixNano).toBe(later.startTimeUnixNano + 1000n);
    expect(later.attributes).toEqual(processSpan(process).attributes);
  });
});
