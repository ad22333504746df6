import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { ProcessTable } from '../../../agent/event/processes.ts';
import type { Enforcement } from '../../../agent/policy/enforcement.ts';
import { forgetful } from '../../../agent/state/state.ts';
import type { Workload, WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { Workloads } from '../../../agent/workload/workloads.ts';
import { workload as recordOf } from '../policy/objects.ts';

/** One workload, and what is done about it. */
function make({ known = true, failure }: { known?: boolean; failure?: Error } = {}) {
  const done: string[] = [];
  const logged: string[] = [];
  const record = recordOf({ containerId: 'c' });
  const workload: Workload = {
    ...{ id: 1n, slot: 1, record, rootPid: undefined, hostMounts: false, users: [], generation: 0 },
  };
  const successor = { ...workload, id: 2n };
  const registry = {
    findContainer: () => (known ? workload : successor),
    guard: () => {
      if (failure) throw failure;
      done.push('guard');
    },
  };
  const enforcement = {
    cover: () => {
      done.push('cover');
      return [];
    },
  };
  const log = pino({}, { write: (line) => logged.push(JSON.parse(line).msg) });
  const workloads = new Workloads(
    registry as unknown as WorkloadRegistry,
    enforcement as unknown as Enforcement,
    new ProcessTable(() => undefined),
    forgetful,
    log,
  );
  return { workloads, workload, done, logged };
}

describe('Workloads.started()', () => {
  it('reaches its sockets and resolves its links, once', () => {
    const { workloads, workload, done } = make();
    workloads.started(workload, process.pid);
    workloads.started(workload, process.pid);
    expect(done).toEqual(['guard', 'cover', 'guard']);
    expect(workload.rootPid).toBe(process.pid);
  });

  it('leaves alone a workload that has ended, whose place may be that of another', () => {
    const { workloads, workload, done } = make({ known: false });
    workloads.started(workload, process.pid);
    expect([done, workload.rootPid]).toEqual([[], undefined]);
  });

  it('says what could not be done, and lets the event pass', () => {
    const { workloads, workload, logged } = make({ failure: new Error('no room') });
    workloads.started(workload, process.pid);
    expect(logged).toEqual([expect.stringMatching(/its rules hold as they were$/)]);
  });
});
