import { parentPort, workerData } from 'node:worker_threads';
import { RingReader, type RingSource } from '../../../agent/kernel/ring.ts';

/** A worker that maps a ring by its descriptor, drains it once and ends. */
using reader = new RingReader(workerData as RingSource);
parentPort?.postMessage(reader.drain(() => {}));
