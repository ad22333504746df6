import { workerData } from 'node:worker_threads';
import { runProgramFd } from './run.ts';

/** A worker that runs a `syscall` program again and again: a producer on a CPU of its own. */
const { fd, words, rounds } = workerData as { fd: number; words: number[]; rounds: number };
for (let round = 0; round < rounds; round++) runProgramFd(fd, words);
