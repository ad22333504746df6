import type { Backend } from './feature.ts';

/** What becomes of an operation that a rule names. `unseen`: no program looks at it, rules for it have no effect. */
export type Coverage =
  | 'prevented'
  | 'killed before its first instruction'
  | 'killed after the fact'
  | 'reported'
  | 'unseen';

export interface CoveredOperation {
  operation: string;
  category: 'process' | 'file' | 'network' | 'dns' | 'capabilities' | 'syscall';
  coverage: Record<Backend, Coverage>;
}

const killedLate = { lsm: 'prevented', tracepoint: 'killed after the fact' } as const;
const lsmAlone = { lsm: 'prevented', tracepoint: 'unseen' } as const;

/**
 * What each backend does about each operation when a Block (for system calls: Audit) rule names its object. The one place that says
 * so: doctor prints it, and a hook that is added to bpf/ changes its line here.
 */
export const coveredOperations: readonly CoveredOperation[] = [
  {
    operation: 'start a program',
    category: 'process',
    coverage: { lsm: 'prevented', tracepoint: 'killed before its first instruction' },
  },
  // The raw tracepoint knows the interpreter alone, which is judged as any program.
  {
    operation: 'start a script, by its own name',
    category: 'process',
    coverage: { lsm: 'prevented', tracepoint: 'unseen' },
  },
  {
    operation: 'open a file or directory',
    category: 'file',
    coverage: { lsm: 'prevented', tracepoint: 'killed after the fact' },
  },
  { operation: 'write through a descriptor', category: 'file', coverage: lsmAlone },
  { operation: 'create a file, device or fifo', category: 'file', coverage: killedLate },
  { operation: 'bind a local socket', category: 'file', coverage: lsmAlone },
  { operation: 'mkdir', category: 'file', coverage: killedLate },
  { operation: 'symlink', category: 'file', coverage: killedLate },
  { operation: 'unlink, rmdir', category: 'file', coverage: killedLate },
  { operation: 'link', category: 'file', coverage: killedLate },
  { operation: 'rename', category: 'file', coverage: killedLate },
  { operation: 'chmod, chown, truncate', category: 'file', coverage: killedLate },
  { operation: 'map anonymous memory as executable (preset)', category: 'file', coverage: lsmAlone },
  {
    operation: 'create an internet socket',
    category: 'network',
    coverage: { lsm: 'prevented', tracepoint: 'prevented' },
  },
  // The kernel runs no program of a cgroup for them (kernel/bpf/cgroup.c).
  { operation: 'create a socket of another family', category: 'network', coverage: lsmAlone },
  {
    operation: 'bind, connect, sendmsg of a TCP or UDP socket',
    category: 'network',
    coverage: { lsm: 'prevented', tracepoint: 'prevented' },
  },
  { operation: 'bind, connect, sendmsg of another socket', category: 'network', coverage: lsmAlone },
  { operation: 'listen, accept', category: 'network', coverage: lsmAlone },
  {
    operation: 'ask a DNS server over UDP',
    category: 'dns',
    coverage: { lsm: 'prevented', tracepoint: 'prevented' },
  },
  { operation: 'use a capability', category: 'capabilities', coverage: lsmAlone },
  { operation: 'system calls', category: 'syscall', coverage: { lsm: 'reported', tracepoint: 'reported' } },
];

/** The table as README shows it. */
export function coverageTable(): string {
  const rows = coveredOperations.map(
    ({ operation, coverage }) => `| ${operation} | ${coverage.lsm} | ${coverage.tracepoint} |`,
  );
  return ['| operation | `lsm` | `tracepoint` |', '| --- | --- | --- |', ...rows].join('\n');
}
