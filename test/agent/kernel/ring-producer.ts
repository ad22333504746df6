import { workerData } from 'node:worker_threads';
import { runProgramFd } from './run.ts';

/**
 * A worker that runs a `syscall` program again and again: a producer on a CPU of its own. At least `rounds` times, and until
 * the reader has said in `shared[0]` that it has `enough`; `shared[1]` counts the runs.
 */
const { fd, words, rounds, enough, shared } = workerData as {
  fd: number;
  words: number[];
  rounds: number;
  enough: number;
  shared: Int32Array;
};
for (let round = 0; round < rounds || Atomics.load(shared, 0) < enough; round++) {
  runProgramFd(fd, words);
  Atomics.add(shared, 1, 1);
}
