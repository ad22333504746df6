import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compileCache } from './compile-cache.ts';

const collectorMain = fileURLToPath(new URL('../collector/main.ts', import.meta.url));

/** Starts a command of the collector as a child process. */
export function spawnCollector(args: readonly string[], options: SpawnOptions): ChildProcess {
  const cache = compileCache();
  const env = { ...(options.env ?? process.env), ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) };
  return spawn(process.execPath, [collectorMain, ...args], { ...options, env });
}

/** Runs a command of the collector in our place: its streams are ours, signals go on to it, its exit status is the answer. */
export function delegate(args: readonly string[]): Promise<number> {
  return inOurPlace(spawnCollector(args, { stdio: 'inherit' }));
}

/** Waits for a child that acts in our place. */
export function inOurPlace(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // From a terminal the child gets the signal itself as well; a second one does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.once('error', reject);
  child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  return promise;
}
