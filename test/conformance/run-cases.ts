import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CaseError, readCase } from './case.ts';
import { openMachine } from './machine.ts';
import { startProduct } from './product.ts';
import type { Result, Verdict } from './report.ts';
import { runCase } from './run-case.ts';
import type { Case, Need } from './schema.ts';
import { reasonToSkip } from './support.ts';

export interface RunOptions {
  /** The image's root file system; built when it is not given. */
  image?: string | undefined;
  /** Called with each result as it comes. */
  onResult(result: Result): void;
  signal: AbortSignal;
}

/** Runs case files on this machine, with one agent and one collector for all of them. */
export async function runCases(files: string[], { image, onResult, signal }: RunOptions): Promise<Result[]> {
  const results: Result[] = [];
  const report = (name: string, since: number, verdict: Verdict): void => {
    const result = { name, seconds: (performance.now() - since) / 1000, verdict };
    results.push(result);
    onResult(result);
  };
  const available = availableNeeds();
  const runnable: Case[] = [];
  for (const file of files) {
    const since = performance.now();
    const given = readOrError(file);
    if (given instanceof CaseError) {
      report(basename(file, '.yaml'), since, { kind: 'failed', faults: given.message.split('\n') });
      continue;
    }
    const reason = reasonToSkip(given, available);
    if (reason) report(given.case, since, { kind: 'skipped', reason });
    else runnable.push(given);
  }
  if (runnable.length === 0) return results;

  await using machine = await openMachine(image);
  await using product = await startProduct(join(machine.directory, 'product'));
  for (const given of runnable) {
    signal.throwIfAborted();
    const since = performance.now();
    const faults = await runCase(given, machine, product).catch((error: unknown) => [
      ...messages(error).map((message) => `the case could not be run: ${message}`),
      `log of agent and collector:\n${product.log()}`,
    ]);
    report(given.case, since, faults.length > 0 ? { kind: 'failed', faults } : { kind: 'passed' });
  }
  return results;
}

/** An error while another one was on its way holds both. */
function messages(error: unknown): string[] {
  if (error instanceof SuppressedError) return [...messages(error.suppressed), ...messages(error.error)];
  return [error instanceof Error ? error.message : String(error)];
}

function readOrError(file: string): Case | CaseError {
  try {
    return readCase(file);
  } catch (error) {
    if (error instanceof CaseError) return error;
    throw error;
  }
}

/** `lsm` is met by whoever asked for this machine: with the tracepoint backend refusals are judged in its own way. */
function availableNeeds(): ReadonlySet<Need> {
  const needs = new Set<Need>(['lsm', 'dns']);
  const number = (path: string) => (existsSync(path) ? Number(readFileSync(path, 'utf8')) : 1);
  if (number('/proc/sys/kernel/unprivileged_userns_clone') > 0 && number('/proc/sys/user/max_user_namespaces') > 0) {
    needs.add('userns');
  }
  return needs;
}
