/** Files that the loop opens, on a tmpfs. The name tells the number of components. */
export const files = {
  3: '/run/bench/file',
  9: '/run/bench/a/path/of/nine/components/to/file',
} as const;

export type Depth = keyof typeof files;

/** A situation in which the loop runs. */
export interface State {
  name: string;
  /** In the words of a table. */
  text: string;
  /** No programs in the kernel; the loop outside every workload; the loop inside a workload with these file rules. */
  where: { kind: 'unloaded' } | { kind: 'outside' } | { kind: 'workload'; file: Record<string, unknown> };
}

const block = { action: 'Block' };

/** In the order in which they are measured: the loop without programs both first and last. */
export const states: readonly State[] = [
  { name: 'before', text: 'no programs, before', where: { kind: 'unloaded' } },
  { name: 'outside', text: 'outside any workload', where: { kind: 'outside' } },
  {
    name: 'one-rule',
    text: 'one path rule, not matching',
    where: { kind: 'workload', file: { ...block, matchPaths: [{ path: '/run/other/file' }] } },
  },
  {
    name: 'directory-rule',
    text: 'one directory rule, matching',
    where: { kind: 'workload', file: { action: 'Allow', matchDirectories: [{ dir: '/run/', recursive: true }] } },
  },
  { name: 'after', text: 'no programs, after', where: { kind: 'unloaded' } },
];
