import type { Alert } from '../alert.ts';
import { refused } from './severity.ts';

/** What a process does at each hook, in a word or two. */
const ACCESSES: Readonly<Record<string, string>> = {
  SECURITY_BPRM_CHECK: 'process exec',
  FILE_OPEN: 'file open',
  FILE_PERMISSION: 'file write',
  FILE_MKNOD: 'file create',
  FILE_MKDIR: 'file mkdir',
  FILE_SYMLINK: 'file symlink',
  FILE_LINK: 'file link',
  FILE_UNLINK: 'file unlink',
  FILE_RMDIR: 'file rmdir',
  FILE_RENAME: 'file rename',
  FILE_CHMOD: 'file chmod',
  FILE_CHOWN: 'file chown',
  FILE_TRUNCATE: 'file truncate',
  MMAP_FILE: 'file map',
  SOCKET_CREATE: 'network create',
  SOCKET_BIND: 'network bind',
  SOCKET_CONNECT: 'network connect',
  SOCKET_LISTEN: 'network listen',
  SOCKET_ACCEPT: 'network accept',
  SOCKET_SENDMSG: 'network send',
  CAPABLE: 'capability use',
};

const OPERATIONS: Readonly<Record<Alert['Operation'], string>> = {
  Process: 'process',
  File: 'file',
  Network: 'network',
  Capabilities: 'capability',
  Syscall: 'syscall',
  AlertThreshold: 'alert throttled',
  PathUnresolved: 'path unresolved',
  SequenceGap: 'sequence gap',
  NotCovered: 'not covered',
};

/**
 * The name of an alert's span: verdict and access, such as `deny file open`. Stores group spans by name, so it is one of
 * a fixed set (of the hooks here and of the kernel's system calls) and never holds anything that a process chose.
 */
export function spanName(alert: Alert, data: ReadonlyMap<string, string>): string {
  if (alert.Type === 'SystemEvent') return OPERATIONS[alert.Operation];
  const verdict = refused(alert) ? 'deny' : 'audit';
  const syscall = /^SYS_([A-Z0-9_]{1,40})$/.exec(data.get('syscall') ?? '')?.[1];
  if (alert.Operation === 'Syscall' && syscall !== undefined) return `${verdict} syscall ${syscall.toLowerCase()}`;
  const hook = data.get('lsm') ?? '';
  return `${verdict} ${Object.hasOwn(ACCESSES, hook) ? ACCESSES[hook] : OPERATIONS[alert.Operation]}`;
}
