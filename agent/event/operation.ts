import type { VerdictAlert } from '../../otel/alert.ts';
import * as abi from '../abi.gen.ts';
import { flagNames, mapFlags, protectionFlags } from './mapping.ts';
import type { EventRecord } from './record.ts';
import { syscallData } from './syscall.ts';

/** How an alert speaks of an operation. */
export interface Operation {
  /** Field `Operation`. */
  name: VerdictAlert['Operation'];
  /** Field `Data`: the hook or call with its details. */
  data(event: EventRecord): string;
}

const file = (hook: string): Operation => ({ name: 'File', data: () => `lsm=${hook}` });

/** By `enum picket_operation`: what alerts.md 2 says of each. */
const operations: Readonly<Record<number, Operation>> = {
  [abi.operation.OPERATION_EXEC]: { name: 'Process', data: () => 'lsm=SECURITY_BPRM_CHECK' },
  [abi.operation.OPERATION_SYSCALL]: { name: 'Syscall', data: syscallData },
  [abi.operation.OPERATION_OPEN]: file('FILE_OPEN'),
  [abi.operation.OPERATION_PERMISSION]: file('FILE_PERMISSION'),
  [abi.operation.OPERATION_MKNOD]: file('FILE_MKNOD'),
  [abi.operation.OPERATION_MKDIR]: file('FILE_MKDIR'),
  [abi.operation.OPERATION_SYMLINK]: file('FILE_SYMLINK'),
  [abi.operation.OPERATION_UNLINK]: file('FILE_UNLINK'),
  [abi.operation.OPERATION_RMDIR]: file('FILE_RMDIR'),
  [abi.operation.OPERATION_LINK]: file('FILE_LINK'),
  [abi.operation.OPERATION_RENAME]: file('FILE_RENAME'),
  [abi.operation.OPERATION_CHMOD]: file('FILE_CHMOD'),
  [abi.operation.OPERATION_CHOWN]: file('FILE_CHOWN'),
  [abi.operation.OPERATION_TRUNCATE]: file('FILE_TRUNCATE'),
  [abi.operation.OPERATION_MMAP]: {
    name: 'File',
    data: ({ details: [protection, flags] }) =>
      `lsm=MMAP_FILE prot=${flagNames(protection, protectionFlags)} flags=${flagNames(flags, mapFlags)}`,
  },
};

/**
 * What the alert of an event calls its operation.
 *
 * @throws Error for a number that no kernel program of this build writes
 */
export function operationOf({ operation }: EventRecord): Operation {
  const known = operations[operation];
  if (known === undefined) throw new Error(`no operation has the number ${operation}`);
  return known;
}
