import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import type { Sensor } from '../../../agent/event/alert.ts';
import { type Process, ProcessTable } from '../../../agent/event/processes.ts';
import { Traces } from '../../../agent/event/trace.ts';
import { processSpanId, root, traceId } from '../../../otel/ids.ts';
import type { Span } from '../../../otel/otlp/span.ts';
import { eventOf } from './records.ts';

const boot = { id: '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55', unixNs: 1_661_936_000_000_000_000n };
const sensor: Sensor = {
  ...{ cluster: 'default', clusterUid: 'cluster', hostName: 'h', nodeId: 'n', version: '0.1.0', epoch: 'e-1' },
  boot,
};
const seconds = 1661936135;
const idOf = (pid: number, startNs: bigint) => processSpanId(boot.id, pid, startNs);

/** A family: 100 is the root, 101 its child, 102 the child of that; 1 is outside. */
const starts = { 1: 1n, 100: 10_000_000_001n, 101: 11_000_000_001n, 102: 12_000_000_001n } as const;
type Pid = keyof typeof starts;
const parents: Record<Pid, number> = { 1: 0, 100: 1, 101: 100, 102: 101 };

function tableOf(read: (pid: number, startNs: bigint) => Process | undefined = () => undefined): ProcessTable {
  const table = new ProcessTable(read);
  for (const pid of [100, 101, 102] as const) table.executed(execOf(pid), false);
  return table;
}

function execOf(pid: Pid, ppid = parents[pid]) {
  const path = `/bin/p${pid}`;
  const parentStartNs = starts[ppid as Pid] ?? 0n;
  const kind = abi.eventKind.EVENT_EXEC;
  return eventOf({ kind, pid, startNs: starts[pid], ppid, parentStartNs, path, args: [path, `-${pid}`], uid: pid });
}

const alertOf = (pid: Pid) =>
  eventOf({ pid, startNs: starts[pid], rootPid: 100, rootStartNs: starts[100], ppid: parents[pid] });

const shape = (spans: readonly Span[]) => spans.map(({ name, spanId, parentSpanId }) => [name, spanId, parentSpanId]);
const family = [
  ['p102', idOf(102, starts[102]), idOf(101, starts[101])],
  ['p101', idOf(101, starts[101]), idOf(100, starts[100])],
  ['p100', idOf(100, starts[100]), ''],
];

function spansOf(traces: Traces, table: ProcessTable, pid: Pid, at = seconds): Span[] {
  const event = alertOf(pid);
  return traces.spans(event, table.find(pid, starts[pid]), traces.of(event, 'c', at), at);
}

describe('Traces.spans()', () => {
  it('gives the acting process and its ancestors up to the root, with what was fixed at exec', () => {
    const table = tableOf();
    const spans = spansOf(new Traces(sensor, table), table, 102);
    expect(shape(spans)).toEqual(family);
    expect(spans[0]).toMatchObject({
      traceId: traceId('cluster', 'c', root(boot.id, 100, starts[100]), seconds),
      startTimeUnixNano: boot.unixNs + starts[102],
      endTimeUnixNano: boot.unixNs + starts[102] + 1000n,
    });
  });

  it('gives each once per trace, and again in the next hour and after forget()', () => {
    const table = tableOf();
    const traces = new Traces(sensor, table);
    const first = spansOf(traces, table, 101);
    expect(shape(first)).toEqual(family.slice(1));
    expect(shape(spansOf(traces, table, 101))).toEqual([]);
    expect(shape(spansOf(traces, table, 102))).toEqual(family.slice(0, 1));
    expect(shape(spansOf(traces, table, 101, seconds + 3600))).toEqual(family.slice(1));
    traces.forget();
    expect(spansOf(traces, table, 101)).toEqual(first); // every byte the same
  });

  it('hangs a process under the root when somebody outside has taken it over', () => {
    const outside: Process = {
      ...{ pid: 1, vpid: 1, startNs: starts[1], ppid: 0, parentStartNs: 0n, uid: 0 },
      ...{ executable: '/sbin/init', args: [], argsTruncated: false, cwd: '/' },
    };
    const table = tableOf((pid) => (pid === 1 ? outside : undefined));
    table.executed(execOf(102, 1), false);
    expect(shape(spansOf(new Traces(sensor, table), table, 102))).toEqual([
      ['p102', idOf(102, starts[102]), idOf(100, starts[100])],
      ['p100', idOf(100, starts[100]), ''],
    ]);
  });

  it('finds the root, and its true start, among processes that were there before their workload', () => {
    const table = new ProcessTable((pid, startNs) => {
      const ppid = parents[pid as Pid];
      const parentStartNs = ((starts[ppid as Pid] ?? 0n) / 10_000_000n) * 10_000_000n; // as /proc tells it
      const path = `/bin/p${pid}`;
      return {
        pid,
        vpid: pid,
        startNs,
        ppid,
        parentStartNs,
        uid: 0,
        executable: path,
        args: [],
        argsTruncated: false,
        cwd: '/',
      };
    });
    expect(shape(spansOf(new Traces(sensor, table), table, 101))).toEqual(family.slice(1));
  });

  it('still names the parent of a process whose parent is not known any more', () => {
    const table = new ProcessTable(() => undefined);
    table.executed(execOf(102), false);
    expect(shape(spansOf(new Traces(sensor, table), table, 102))).toEqual(family.slice(0, 1));
    expect(spansOf(new Traces(sensor, table), table, 101)).toEqual([]);
  });
});

describe('Traces.of()', () => {
  const event = alertOf(102);
  const id = (at: number, container = 'c') => traceId('cluster', container, root(boot.id, 100, starts[100]), at);

  it('links a trace to that of the same tree in the hour before, all the hour long', () => {
    const traces = new Traces(sensor, tableOf());
    expect(traces.of(event, 'c', seconds)).toEqual({ id: id(seconds), rootSpanId: idOf(100, starts[100]) });
    for (const later of [3600, 3601])
      expect(traces.of(event, 'c', seconds + later)).toMatchObject({ id: id(seconds + 3600), previousId: id(seconds) });
    expect(traces.of(event, 'c', seconds + 7200).previousId).toBe(id(seconds + 3600));
  });

  it('links nothing over a silent hour, to another container, or backwards', () => {
    const traces = new Traces(sensor, tableOf());
    traces.of(event, 'c', seconds);
    expect(traces.of(event, 'other', seconds + 3600).previousId).toBeUndefined();
    expect(traces.of(event, 'c', seconds + 7200).previousId).toBeUndefined();
    expect(traces.of(event, 'c', seconds).previousId).toBeUndefined();
    expect(traces.of(event, 'c', seconds + 10800).previousId).toBe(id(seconds + 7200));
  });
});
