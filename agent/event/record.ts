import * as abi from '../abi.gen.ts';
import type { RingMemory } from '../kernel/ring.ts';

/** One ring record, taken apart (struct picket_event). Times are nanoseconds since boot. */
export interface EventRecord {
  seq: bigint;
  timeNs: bigint;
  kind: number;
  flags: number;
  workload: bigint;
  pid: number;
  tid: number;
  ppid: number;
  vpid: number;
  vppid: number;
  /** As the node numbers users; the pipeline turns it into the number inside the workload. */
  uid: number;
  startNs: bigint;
  parentStartNs: bigint;
  rootPid: number;
  rootStartNs: bigint;
  execSession: bigint;
  tty: string;
  pathHash: bigint;
  set: number;
  generation: number;
  outcome: number;
  category: number;
  operation: number;
  backend: number;
  /** 0 or a negative errno. */
  result: number;
  syscall: number;
  /** What the operation is about, as `struct picket_event` says. */
  details: readonly [bigint, bigint, bigint, bigint];
  /** 1 + the preset that decided; 0: none. */
  preset: number;
  path: string;
  /** The arguments, the first one included. */
  args: string[];
  cwd: string;
  base: string;
}

/** Bytes that no kernel program of this build writes: the record is skipped and counted. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
}

const at = abi.event.fields;

/**
 * Takes a record apart; copies everything, the memory belongs to the kernel again afterwards. Bytes that are not UTF-8
 * become U+FFFD.
 *
 * @throws RecordError when the lengths contradict each other
 */
export function decode({ bytes, view }: RingMemory, offset: number, length: number): EventRecord {
  if (length < abi.event.size)
    throw new RecordError(`a record of ${length} bytes; its fixed part has ${abi.event.size}`);
  const u16 = (field: { offset: number }): number => view.getUint16(offset + field.offset, true);
  const u32 = (field: { offset: number }): number => view.getUint32(offset + field.offset, true);
  const u64 = (field: { offset: number }, index = 0): bigint =>
    view.getBigUint64(offset + field.offset + 8 * index, true);
  const lengths = [u16(at.path_length), u16(at.args_length), u16(at.cwd_length), u16(at.base_length)] as const;
  const [pathLength, argsLength, cwdLength, baseLength] = lengths;
  if (abi.event.size + pathLength + argsLength + cwdLength + baseLength > length)
    throw new RecordError(`strings of ${lengths.join(' + ')} bytes in a record of ${length}`);
  let position = offset + abi.event.size;
  const text = (size: number): string => {
    position += size;
    return bytes.toString('utf8', position - size, position);
  };
  const tty = bytes.toString('latin1', offset + at.tty.offset, offset + at.tty.offset + at.tty.size);
  return {
    seq: u64(at.seq),
    timeNs: u64(at.time_ns),
    kind: u32(at.kind),
    flags: u32(at.flags),
    workload: u64(at.workload),
    pid: u32(at.pid),
    tid: u32(at.tid),
    ppid: u32(at.ppid),
    vpid: u32(at.vpid),
    vppid: u32(at.vppid),
    uid: u32(at.uid),
    startNs: u64(at.start_ns),
    parentStartNs: u64(at.parent_start_ns),
    rootPid: u32(at.root_pid),
    rootStartNs: u64(at.root_start_ns),
    execSession: u64(at.exec_session),
    tty: tty.slice(0, Math.max(0, tty.indexOf('\0'))),
    pathHash: u64(at.path_hash),
    set: u32(at.set),
    generation: u32(at.generation),
    outcome: u32(at.outcome),
    category: u32(at.category),
    operation: u32(at.operation),
    backend: u32(at.backend),
    result: view.getInt32(offset + at.result.offset, true),
    syscall: u32(at.syscall),
    details: [u64(at.details, 0), u64(at.details, 1), u64(at.details, 2), u64(at.details, 3)],
    preset: u32(at.preset),
    path: text(pathLength),
    args: splitArguments(text(argsLength)),
    cwd: text(cwdLength),
    base: text(baseLength),
  };
}

/** Each argument ends with a zero byte; a cut command line lacks the last one. */
function splitArguments(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
}
