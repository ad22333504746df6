import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { type Process, type ProcessReader, ProcessTable } from '../../../agent/event/processes.ts';
import { eventOf } from './records.ts';

const second = 1_000_000_000n;
const start = 5_012_345_678n;
const rounded = 5_010_000_000n;

const fork = (pid: number, startNs: bigint, ppid = 1, parentStartNs = 10_000_001n) =>
  eventOf({ kind: abi.eventKind.EVENT_FORK, pid, startNs, ppid, parentStartNs });
const exec = (pid: number, startNs: bigint, path: string, ...args: string[]) =>
  eventOf({ kind: abi.eventKind.EVENT_EXEC, pid, startNs, path, args: [path, ...args], cwd: '/home' });
const exit = (pid: number, startNs: bigint, timeNs: bigint) => eventOf({ pid, startNs, timeNs });

function processOf(pid: number, startNs: bigint, executable: string): Process {
  const identity = { pid, vpid: pid, startNs, ppid: 1, parentStartNs: 0n, uid: 0 };
  return { ...identity, executable, args: [], argsTruncated: false, cwd: '/' };
}

/** A /proc whose content the test says, and that counts how often it is asked. */
function fakeProc(programs: Record<number, string> = {}) {
  const asked: number[] = [];
  const read: ProcessReader = (pid, startNs) => {
    asked.push(pid);
    const program = programs[pid];
    return program === undefined ? undefined : processOf(pid, startNs, program);
  };
  return { programs, asked, read };
}

describe('ProcessTable', () => {
  it('forked() gives a child the program of its parent, executed() one of its own', () => {
    const proc = fakeProc();
    const table = new ProcessTable(proc.read);
    table.executed(exec(10, start, '/bin/sh', '-c', 'x'), false);
    table.forked(fork(11, start + second, 10, start));
    expect(table.find(11, start + second)).toMatchObject({
      executable: '/bin/sh',
      args: ['-c', 'x'],
      cwd: '/home',
      ppid: 10,
    });
    table.executed({ ...exec(11, start + second, '/bin/cat', 'f'), ppid: 10, parentStartNs: start }, true);
    expect(table.find(11, start + second)).toMatchObject({ executable: '/bin/cat', args: ['f'], argsTruncated: true });
    expect(table.find(10, start)?.executable).toBe('/bin/sh');
    expect(proc.asked).toEqual([]);
  });

  it('find() knows what a process was before it executed another program, for events from before', () => {
    const table = new ProcessTable(fakeProc().read);
    table.executed(exec(10, start, '/bin/sh'), false);
    table.forked(fork(11, start, 10, start));
    for (const [i, path] of ['/bin/a', '/bin/b', '/bin/c', '/bin/d'].entries())
      table.executed({ ...exec(11, start, path), timeNs: start + BigInt(10 * (i + 1)) }, false);
    const at = (after: bigint): string | undefined => table.find(11, start, start + after)?.executable;
    expect([25n, 30n, 39n, 40n, 99n].map(at)).toEqual(['/bin/b', '/bin/c', '/bin/c', '/bin/d', '/bin/d']);
    expect(table.find(11, start)?.executable).toBe('/bin/d');
    expect(at(5n)).toBe('/bin/b'); // that long ago nobody asks
  });

  it('find() reads a process that no event told about, once', () => {
    const proc = fakeProc({ 7: '/usr/bin/node' });
    const table = new ProcessTable(proc.read);
    expect(table.find(7, start)?.executable).toBe('/usr/bin/node');
    expect(table.find(7, start)?.executable).toBe('/usr/bin/node');
    expect(table.find(8, start)).toBeUndefined();
    expect(proc.asked).toEqual([7, 8]);
  });

  it('find() keeps apart two processes that had one pid', () => {
    const table = new ProcessTable(fakeProc().read);
    table.executed(exec(10, start, '/bin/old'), false);
    table.executed(exec(10, start + second, '/bin/new'), false);
    expect(table.find(10, start)?.executable).toBe('/bin/old');
    expect(table.find(10, start + second)?.executable).toBe('/bin/new');
  });

  it('find() takes a rounded start and an exact one for one process, and remembers the exact one', () => {
    const proc = fakeProc({ 7: '/bin/a' });
    const table = new ProcessTable(proc.read);
    expect(table.find(7, rounded)?.startNs).toBe(rounded);
    expect(table.find(7, start)?.startNs).toBe(start);
    expect(table.find(7, rounded)?.startNs).toBe(start);
    table.expire(start); // read again
    expect(table.find(7, rounded)?.startNs).toBe(start);
    expect(proc.asked).toEqual([7, 7]);
  });

  it('find() reads again what is old, because no event tells that a process outside executed another program', () => {
    const proc = fakeProc({ 7: '/bin/sh' });
    const table = new ProcessTable(proc.read);
    expect(table.find(7, start)?.executable).toBe('/bin/sh');
    proc.programs[7] = '/usr/bin/python3';
    table.expire(10n * second);
    expect(table.find(7, start)?.executable).toBe('/usr/bin/python3');
    delete proc.programs[7]; // it ended: what was last read is still the best there is
    table.expire(12n * second);
    expect(table.find(7, start)?.executable).toBe('/usr/bin/python3');
  });

  it('expire() forgets processes a minute after their end', () => {
    const table = new ProcessTable(fakeProc().read);
    table.executed(exec(10, start, '/bin/a'), false);
    table.executed(exec(11, start, '/bin/b'), false);
    table.exited(exit(10, start, 20n * second));
    table.expire(80n * second);
    expect(table.find(10, start)?.executable).toBe('/bin/a');
    table.expire(80n * second + 1n);
    expect(table.find(10, start)).toBeUndefined();
    expect(table.find(11, start)?.executable).toBe('/bin/b');
  });

  it('expire() forgets what was read a minute after it ended, and keeps what lives', () => {
    const proc = fakeProc({ 7: '/bin/gone', 8: '/bin/alive' });
    const table = new ProcessTable(proc.read);
    table.find(7, start);
    table.find(8, start);
    delete proc.programs[7];
    table.expire(10n * second);
    table.expire(70n * second);
    expect(table.size).toBe(2);
    table.expire(70n * second + 1n);
    expect(table.size).toBe(1);
    expect(table.find(8, start)?.executable).toBe('/bin/alive');
  });

  it('exited() is no error for a process that is not known', () => {
    const table = new ProcessTable(fakeProc().read);
    table.exited(exit(10, start, 20n * second));
    expect(table.size).toBe(0);
  });

  it('holds no more than its limit, and lets the oldest go', () => {
    const proc = fakeProc();
    const table = new ProcessTable(proc.read, 100);
    for (let pid = 1; pid <= 1000; pid++) table.executed(exec(pid, start, `/bin/${pid}`), false);
    expect([table.size, table.evicted]).toEqual([100, 900]);
    expect(table.find(900, start)).toBeUndefined();
    expect(table.find(901, start)?.executable).toBe('/bin/901');
  });
});
