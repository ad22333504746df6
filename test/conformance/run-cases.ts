import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openAhead } from './ahead.ts';
import { CaseError, readCase } from './case.ts';
import type { Machine } from './container.ts';
import { openMachine } from './machine.ts';
import { isGuest } from './node.ts';
import { podsOf } from './pods.ts';
import { startProduct } from './product.ts';
import type { Result, Verdict } from './report.ts';
import { runCase } from './run-case.ts';
import type { Case, Need } from './schema.ts';
import { openStage, type Stage } from './stage.ts';
import { reasonToSkip, usesNode } from './support.ts';

export interface RunOptions {
  /** The image's root file system; built when it is not given. */
  image?: string | undefined;
  /** How exec sessions are started; see Machine. */
  sessions?: Machine['sessions'] | undefined;
  /** Called with each result as it comes. */
  onResult(result: Result): void;
  signal: AbortSignal;
}

/** Runs case files on this machine, with one agent and one collector for all of them. */
export async function runCases(files: string[], { image, sessions, onResult, signal }: RunOptions): Promise<Result[]> {
  const results: Result[] = [];
  const report = (name: string, seconds: number, verdict: Verdict): void => {
    const result = { name, seconds, verdict };
    results.push(result);
    onResult(result);
  };
  const available = availableNeeds();
  const runnable: Case[] = [];
  for (const file of files) {
    const given = readOrError(file);
    if (given instanceof CaseError) {
      report(basename(file, '.yaml'), 0, { kind: 'failed', faults: given.message.split('\n') });
      continue;
    }
    const reason = reasonToSkip(given, available);
    if (reason) report(given.case, 0, { kind: 'skipped', reason });
    else runnable.push(given);
  }
  if (runnable.length === 0) return results;

  await using machine = await openMachine({ image, sessions });
  let starts = 0;
  const start = () => startProduct(join(machine.directory, `product-${++starts}`));
  let product = await start();
  let before = Promise.resolve();
  await using end = new AsyncDisposableStack();
  end.defer(() => product[Symbol.asyncDispose]());
  end.defer(() => before);
  let stage: Stage | undefined;
  end.defer(() => stage?.[Symbol.asyncDispose]());
  for await (const { item, opened } of openAhead(runnable, (given) => openStage(machine, podsOf(given)), usesNode)) {
    const since = performance.now();
    let faults: string[];
    stage = undefined;
    try {
      stage = await opened;
      signal.throwIfAborted();
      if (usesNode(item)) await before; // its policies may cover whatever runs beside it
      faults = await runCase(item, stage, machine, product);
    } catch (error) {
      signal.throwIfAborted();
      faults = [...new Set(messages(error, 'run')), `log of agent and collector:\n${product.log()}`];
      // What it was told may still be there
      await product[Symbol.asyncDispose]();
      product = await start();
    }
    const { case: name } = item;
    const seconds = (performance.now() - since) / 1000;
    const closed = Promise.resolve(stage?.[Symbol.asyncDispose]()).catch((error) => messages(error, 'cleaned up'));
    await before;
    before = closed.then((left) => {
      faults.push(...(left ?? []));
      report(name, seconds, faults.length > 0 ? { kind: 'failed', faults } : { kind: 'passed' });
    });
  }
  await before;
  return results;
}

/** An error while another one was on its way holds both. */
function messages(error: unknown, what: 'run' | 'cleaned up'): string[] {
  if (error instanceof SuppressedError) return [...messages(error.suppressed, what), ...messages(error.error, what)];
  return [`the case could not be ${what}: ${error instanceof Error ? error.message : String(error)}`];
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
  const needs = new Set<Need>(['lsm', 'tty', 'dns']);
  if (isGuest()) needs.add('host');
  const number = (name: string, otherwise: number) =>
    existsSync(`/proc/sys/${name}`) ? Number(readFileSync(`/proc/sys/${name}`, 'utf8')) : otherwise;
  const isPermitted =
    number('kernel/unprivileged_userns_clone', 1) > 0 &&
    number('user/max_user_namespaces', 1) > 0 &&
    number('kernel/apparmor_restrict_unprivileged_userns', 0) === 0;
  if (isPermitted) needs.add('userns');
  return needs;
}
