import type { KernelSeries } from '../kernel/image.ts';

/** One measured number under a fixed name. */
export interface Figure {
  name: string;
  value: number;
  unit: 'instructions' | 'ms' | 'bytes';
  /** Not to be exceeded. */
  target?: number;
  /** By how much it differs from run to run. */
  noise?: number;
}

export interface BenchOptions {
  kernel: KernelSeries;
  /** For lines that say what is going on. */
  say: (line: string) => void;
}

export interface BenchResult {
  figures: Figure[];
  /** The figures for people. */
  table: string;
  /** Committed figures of the same kernel and tools, by name; undefined: there are none. */
  baseline?: Readonly<Record<string, number>>;
}

export interface Bench {
  name: string;
  /** One line of help. */
  summary: string;
  run(options: BenchOptions): Promise<BenchResult>;
}

/** The figures that are above their targets. */
export function missed(figures: readonly Figure[]): Figure[] {
  return figures.filter(({ value, target }) => target !== undefined && value > target);
}

/** What a figure may grow by over its baseline. */
const slack = 1.02;

/** The figures that have grown over their baseline. */
export function grown(figures: readonly Figure[], baseline: Readonly<Record<string, number>> = {}): Figure[] {
  return figures.filter(({ name, value, noise = 0 }) => {
    const before = baseline[name];
    return before !== undefined && value > before * slack + noise;
  });
}
