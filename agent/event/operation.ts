import type { VerdictAlert } from '../../otel/alert.ts';
import * as abi from '../abi.gen.ts';
import { capabilityNames } from '../policy/capability.ts';
import { flagNames, mapFlags, protectionFlags } from './mapping.ts';
import type { EventRecord } from './record.ts';
import { addressText, kindText, protocolName, socketOf, typeName } from './socket.ts';
import { syscallData } from './syscall.ts';

/** How an alert speaks of an operation. */
export interface Operation {
  /** Field `Operation`. */
  name: VerdictAlert['Operation'];
  /** Field `Data`: the hook or call with its details. */
  data(event: EventRecord): string;
  /** Field `Resource`; absent: the path of the object. */
  resource?(event: EventRecord): string;
}

const file = (hook: string): Operation => ({ name: 'File', data: () => `lsm=${hook}` });

/** An operation on a socket; `resource` tells it where it is made and where it is put to use. */
const socket = (hook: string, resource: typeof kindText): Operation => ({
  name: 'Network',
  data: (event) => {
    const given = socketOf(event);
    return `lsm=${hook} protocol=${protocolName(given)} type=${typeName(given.type)}`;
  },
  resource: (event) => resource(socketOf(event)),
});

const capabilities = [...capabilityNames].map((name) => `CAP_${name.toUpperCase()}`);
const capability = ({ details: [number] }: EventRecord): string => capabilities[Number(number)] ?? `CAP_${number}`;

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
  [abi.operation.OPERATION_SOCKET_CREATE]: socket('SOCKET_CREATE', kindText),
  [abi.operation.OPERATION_SOCKET_BIND]: socket('SOCKET_BIND', addressText),
  [abi.operation.OPERATION_SOCKET_CONNECT]: socket('SOCKET_CONNECT', addressText),
  [abi.operation.OPERATION_SOCKET_LISTEN]: socket('SOCKET_LISTEN', addressText),
  [abi.operation.OPERATION_SOCKET_ACCEPT]: socket('SOCKET_ACCEPT', addressText),
  [abi.operation.OPERATION_SOCKET_SENDMSG]: socket('SOCKET_SENDMSG', addressText),
  // The name as it was asked; a question that cannot be read has none.
  [abi.operation.OPERATION_DNS]: {
    name: 'Network',
    data: ({ path }) => (path === '' ? 'lsm=SOCKET_SENDMSG' : `lsm=SOCKET_SENDMSG domain=${path.toWellFormed()}`),
    resource: (event) => addressText(socketOf(event)),
  },
  [abi.operation.OPERATION_CAPABLE]: {
    name: 'Capabilities',
    data: (event) => `lsm=CAPABLE ${capability(event)}`,
    resource: capability,
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
