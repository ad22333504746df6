import * as abi from '../../../agent/abi.gen.ts';
import type { EventRecord } from '../../../agent/event/record.ts';
import type { RingMemory } from '../../../agent/kernel/ring.ts';

const at = abi.event.fields;

/** An event in which nothing is unusual: process 296264 of workload 1, a child of 255296, which is the root of its tree. */
export function eventOf(change: Partial<EventRecord> = {}): EventRecord {
  return {
    seq: 1n,
    timeNs: 100_000_000_000n,
    kind: abi.eventKind.EVENT_ALERT,
    flags: 0,
    workload: 1n,
    pid: 296264,
    tid: 296264,
    ppid: 255296,
    vpid: 65,
    vppid: 47,
    uid: 0,
    startNs: 95_301_000_000n,
    parentStartNs: 81_250_000_000n,
    rootPid: 255296,
    rootStartNs: 81_250_000_000n,
    execSession: 0n,
    tty: '',
    pathHash: 0x1234n,
    set: 1,
    generation: 7,
    outcome: outcomeOf('ALERT', 0),
    category: abi.category.CATEGORY_SYSCALL,
    operation: abi.operation.OPERATION_SYSCALL,
    backend: abi.backend.BACKEND_LSM,
    result: 0,
    syscall: 87,
    details: [0n, 0n, 0n, 0n],
    preset: 0,
    path: '',
    args: [],
    cwd: '/',
    base: '',
    ...change,
  };
}

/** Verdict and rule number as the kernel joins them. */
export function outcomeOf(verdict: 'NOT_ALLOWED' | 'PASS' | 'ALERT' | 'DENY', rule: number): number {
  return ((abi.verdict[`VERDICT_${verdict}`] << abi.outcome.OUTCOME_SHIFT) | rule) >>> 0;
}

/** The posture as the rule of an outcome. */
export const posture = abi.outcome.OUTCOME_POSTURE;

/** The bytes of a record, written field by field after bpf/abi.h: fixed part, path, arguments, working directory, base. */
export function encodeEvent(event: EventRecord): Buffer {
  const args = Buffer.from(event.args.map((argument) => `${argument}\0`).join(''));
  const [path, cwd, base] = [Buffer.from(event.path), Buffer.from(event.cwd), Buffer.from(event.base)];
  const fixed = Buffer.alloc(abi.event.size);
  for (const [field, value] of [
    [at.seq, event.seq],
    [at.time_ns, event.timeNs],
    [at.workload, event.workload],
    [at.start_ns, event.startNs],
    [at.parent_start_ns, event.parentStartNs],
    [at.root_start_ns, event.rootStartNs],
    [at.exec_session, event.execSession],
    [at.path_hash, event.pathHash],
  ] as const)
    fixed.writeBigUInt64LE(value, field.offset);
  for (const [i, value] of event.details.entries()) fixed.writeBigUInt64LE(value, at.details.offset + 8 * i);
  for (const [field, value] of [
    [at.kind, event.kind],
    [at.flags, event.flags],
    [at.pid, event.pid],
    [at.tid, event.tid],
    [at.ppid, event.ppid],
    [at.root_pid, event.rootPid],
    [at.vpid, event.vpid],
    [at.vppid, event.vppid],
    [at.uid, event.uid],
    [at.set, event.set],
    [at.generation, event.generation],
    [at.outcome, event.outcome],
    [at.category, event.category],
    [at.operation, event.operation],
    [at.backend, event.backend],
    [at.syscall, event.syscall],
    [at.preset, event.preset],
  ] as const)
    fixed.writeUInt32LE(value, field.offset);
  fixed.writeInt32LE(event.result, at.result.offset);
  fixed.write(event.tty, at.tty.offset, at.tty.size - 1, 'latin1');
  fixed.writeUInt16LE(path.length, at.path_length.offset);
  fixed.writeUInt16LE(args.length, at.args_length.offset);
  fixed.writeUInt16LE(cwd.length, at.cwd_length.offset);
  fixed.writeUInt16LE(base.length, at.base_length.offset);
  return Buffer.concat([fixed, path, args, cwd, base]);
}

/** Bytes as a ring shows them, at an offset that is no multiple of anything. */
export function ringMemory(record: Uint8Array, before = 0, after = 0): RingMemory {
  const bytes = Buffer.concat([Buffer.alloc(before, 0xaa), record, Buffer.alloc(after, 0xbb)]);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}
