import { writeFileSync } from 'node:fs';
import { basename, matchesGlob } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CaseError, listCases } from './case.ts';
import { runInGuest } from './guest.ts';
import { formatJunit, formatResult, formatSum } from './report.ts';
import { runCases } from './run-cases.ts';

interface Options {
  kernel?: 'host' | '6.1' | '6.12';
  only?: string;
  junit?: string;
  image?: string;
  sessions?: 'runc' | 'enter';
  timeout: string;
}

const EXAMPLES = `
Examples:
  picket policy test test/conformance/cases                       here if this kernel has BPF LSM, else in a guest
  picket policy test test/conformance/cases --kernel 6.12 --only 'seed-*'
  picket policy test my-cases --kernel host --junit results.xml
`;

async function main(folder: string, { kernel, only, junit, image, sessions, timeout }: Options): Promise<number> {
  const files = listCases(folder).filter((file) => !only || matchesGlob(basename(file, '.yaml'), only));
  // Before anything runs: who waited for hours would have no results to show.
  if (junit) prepareJunit(junit);
  if (files.length === 0) {
    process.stderr.write(`no case${only ? ` matches ${only}` : ''} in ${folder}; a case is a file NAME.yaml\n`);
    process.stdout.write(`${formatSum([])}\n`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error('stopped')));
  const { signal } = stop;
  const where = kernel ?? ((await actsByLsm()) ? 'host' : '6.1');
  if (where !== 'host') {
    return runInGuest({ kernel: where, folder, only, junit, sessions, timeoutMs: Number(timeout) * 1000, signal });
  }
  const results = await runCases(files, {
    image,
    sessions,
    signal,
    onResult: (result) => process.stdout.write(`${formatResult(result)}\n`),
  });
  if (junit) writeFileSync(junit, formatJunit(results));
  process.stdout.write(`${formatSum(results)}\n`);
  return results.some(({ verdict }) => verdict.kind === 'failed') ? 1 : 0;
}

/** Makes the file, so that it can be written at the end. Throws UsageError. */
function prepareJunit(file: string): void {
  try {
    writeFileSync(file, formatJunit([]));
  } catch (error) {
    throw new UsageError(`--junit ${file} cannot be written: ${(error as Error).message}`);
  }
}

/** What was asked for cannot be had. */
class UsageError extends Error {}

function seconds(text: string): string {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('Allowed: a number of seconds, 1 to 9999999.');
  return text;
}

/** Whether the agent would refuse operations here by BPF LSM; found out by loading, as the agent does. */
async function actsByLsm(): Promise<boolean> {
  const [{ judge }, { gatherFacts }, { machineProbes }] = await Promise.all([
    import('../../agent/kernel/feature.ts'),
    import('../../agent/kernel/facts.ts'),
    import('../../agent/kernel/probes.ts'),
  ]);
  return judge(gatherFacts(machineProbes)).backend === 'lsm';
}

await new Command()
  .name('picket policy test')
  .description(
    'Runs conformance cases: policies, then commands in real containers, with what must happen and be reported.',
  )
  .argument('<folder>', 'folder of *.yaml case files')
  .addOption(new Option('--kernel <kernel>', 'where to run').choices(['host', '6.1', '6.12']))
  .option('--only <glob>', 'cases whose name matches')
  .option('--junit <file>', 'write the results as JUnit XML, too')
  .addOption(
    new Option(
      '--sessions <kind>',
      'how commands enter a container: runc where it can, or our own program, which is faster',
    ).choices(['runc', 'enter']),
  )
  .option('--timeout <seconds>', 'limit of a run in a guest', seconds, '7200')
  .addOption(new Option('--image <folder>', 'root file system of the fixture').hideHelp())
  .addHelpText('after', EXAMPLES)
  .exitOverride()
  .action(async (folder: string, options: Options) => {
    process.exitCode = await main(folder, options);
  })
  .parseAsync()
  .catch((error: { exitCode?: number; code?: string; message: string }) => {
    if (error.exitCode === undefined) process.stderr.write(`picket policy test: ${error.message}\n`);
    const isUsage = error.exitCode !== undefined || error instanceof CaseError || error instanceof UsageError;
    process.exitCode = error.exitCode === 0 ? 0 : isUsage ? 2 : 1;
  });
