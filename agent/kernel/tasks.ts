import { closeSync, readdirSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { errno } from './errno.ts';
import { callUnless } from './libbpf.ts';
import type { BpfMap } from './map.ts';

/** Where a task belongs in these maps. */
export interface TaskHome {
  workload: bigint;
  slot: number;
}

const { fields, size } = abi.task;

/**
 * Processes keep their workload when they leave its cgroup by themselves, which nothing but their record tells. Makes a record
 * in `to` for each process that has one in `from`, in maps of another version, and none in `to`. What a record says of its
 * workload stands at its beginning in every version. A sweep afterwards finds out which programs they run.
 *
 * @param homes by the number that the workload had there
 * @returns how many were made
 */
export function carryTasks(from: BpfMap, to: BpfMap, homes: ReadonlyMap<bigint, TaskHome>): number {
  let carried = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const fd = callUnless(errno.ESRCH, 'pidfd_open', `opening process ${pid}`, pid, 0);
    if (fd === undefined) continue;
    try {
      const key = new Uint8Array(new Int32Array([fd]).buffer);
      const before = from.lookup(key);
      const home = before && homes.get(new DataView(before.buffer).getBigUint64(fields.workload.offset, true));
      if (home === undefined || to.lookup(key) !== undefined) continue;
      const record = Buffer.alloc(size);
      record.writeBigUInt64LE(home.workload, fields.workload.offset);
      record.writeUInt32LE(home.slot, fields.slot.offset);
      record.writeUInt32LE(pid, fields.root_pid.offset);
      to.update(key, record, 'create');
      carried++;
    } catch {
      // it has ended, or has a record by now
    } finally {
      closeSync(fd);
    }
  }
  return carried;
}
