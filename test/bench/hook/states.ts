/** The folder of everything that is opened and started, on a tmpfs; below it an overlay. */
export const folder = '/run/bench';
/** The loop itself, where a rule can name it as a source, and as the program that it starts. */
export const program = `${folder}/loop`;

/** What the loop does, as loop.c takes it. The number tells how many components a path has. */
export const operations = {
  'open-3': `open:${folder}/file`,
  'open-9': `open:${folder}/a/path/of/nine/components/to/file`,
  'overlay-3': 'open:/run/overlay/file',
  exec: `exec:${program}`,
  socket: 'socket',
  capable: 'capable',
  getppid: 'getppid',
} as const;

export type Operation = keyof typeof operations;

/** A situation in which the loop runs. */
export interface State {
  name: string;
  /** No programs in the kernel; the loop outside every workload; the loop inside a workload with these rules. */
  where: { kind: 'unloaded' } | { kind: 'outside' } | { kind: 'workload'; spec: Record<string, unknown> };
  operations: readonly Operation[];
}

const all = Object.keys(operations) as Operation[];
const opens: readonly Operation[] = ['open-3', 'open-9'];
const workload = (name: string, spec: Record<string, unknown>, measured: readonly Operation[]): State => ({
  name,
  where: { kind: 'workload', spec: { action: 'Block', ...spec } },
  operations: measured,
});
const many = Array.from({ length: 10_000 }, (_, i) => i);

/** In the order in which they are measured: the loop without programs both first and last. */
export const states: readonly State[] = [
  { name: 'before', where: { kind: 'unloaded' }, operations: all },
  { name: 'outside', where: { kind: 'outside' }, operations: all },
  workload('one-rule', { file: { matchPaths: [{ path: '/run/other/file' }] } }, [...opens, 'overlay-3']),
  workload(
    'directory-rule',
    { action: 'Allow', file: { matchDirectories: [{ dir: '/run/', recursive: true }] } },
    opens,
  ),
  workload('ten-thousand-rules', { file: tenThousandRules() }, ['open-3']),
  workload(
    'recursive-from-source',
    {
      file: { matchDirectories: [{ dir: '/run/', recursive: true, action: 'Allow', fromSource: [{ path: program }] }] },
    },
    opens,
  ),
  workload('globs-50', { file: { matchPatterns: globs((i) => `${folder}/*.ext${i}`) } }, ['open-3']),
  workload('globs-50-second-form', { file: { matchPatterns: globs((i) => `${folder}/*part${i}*`) } }, ['open-3']),
  workload(
    'exec',
    { process: { matchPaths: [{ path: '/run/other/program' }] }, file: { matchPaths: [{ path: '/run/other/file' }] } },
    ['exec'],
  ),
  workload('socket', { action: 'Audit', network: { matchProtocols: [{ protocol: 'icmp' }] } }, ['socket']),
  workload('capable', { capabilities: { matchCapabilities: [{ capability: 'net_raw' }] } }, ['capable']),
  workload('unnamed-syscall', { action: 'Audit', syscalls: { matchSyscalls: [{ syscall: ['unlink'] }] } }, ['getppid']),
  { name: 'after', where: { kind: 'unloaded' }, operations: all },
];

/** Paths, directories and globs in equal parts, at the depth of what is opened; none matches. */
function tenThousandRules() {
  const third = (n: number) => many.filter((i) => i % 3 === n);
  return {
    matchPaths: third(0).map((i) => ({ path: `/run/other/file${i}` })),
    matchDirectories: third(1).map((i) => ({ dir: `/run/other${i}/`, recursive: i % 2 === 0 })),
    matchPatterns: third(2).map((i) => ({ pattern: `/run/globs${i % 100}/*.ext${i}` })),
  };
}

function globs(pattern: (i: number) => string) {
  return many.slice(0, 50).map((i) => ({ pattern: pattern(i) }));
}
