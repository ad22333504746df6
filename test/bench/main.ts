import { Argument, Command, CommanderError, Option } from 'commander';
import type { KernelSeries } from '../kernel/image.ts';
import { type Bench, grown, missed } from './bench.ts';
import { hook } from './hook/bench.ts';
import { update } from './update/bench.ts';

const benches: readonly Bench[] = [hook, update];
const exit = { ok: 0, failed: 1, usage: 2 } as const;

interface Options {
  kernel: KernelSeries;
  json?: boolean;
}

const help = `
Benches:
${benches.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join('\n')}

Examples:
  npm run bench                          all of them
  npm run bench -- hook --kernel 6.12
  npm run bench -- update                with this machine's own kernel
  npm run bench -- hook --json           the figures as the last line, for programs

The exit status is 1 when a figure misses its target or has grown over its baseline.
`;

/** Runs the chosen benches; returns the exit status. */
async function measure(chosen: readonly Bench[], { kernel, json }: Options): Promise<number> {
  const started = performance.now();
  const say = (line: string) =>
    process.stderr.write(`[${((performance.now() - started) / 1000).toFixed(1)} s] ${line}\n`);
  const figures = [];
  const more = [];
  for (const bench of chosen) {
    const result = await bench.run({ kernel, say });
    process.stdout.write(`${result.table}\n`);
    figures.push(...result.figures);
    more.push(...grown(result.figures, result.baseline));
  }
  for (const { name, value, unit, target } of missed(figures))
    process.stdout.write(`missed: ${name} is ${value} ${unit}, target ${target}\n`);
  for (const { name, value, unit } of more)
    process.stdout.write(`grown: ${name} is ${value} ${unit}, more than its baseline\n`);
  if (json) {
    const plain = figures.map(({ name, value, unit }) => ({ name, value, unit }));
    process.stdout.write(`${JSON.stringify({ figures: plain })}\n`);
  }
  return missed(figures).length > 0 || more.length > 0 ? exit.failed : exit.ok;
}

async function main(): Promise<number> {
  let status: number = exit.ok;
  const program = new Command('npm run bench --')
    .description('measures what Picket costs')
    .addArgument(new Argument('[name]', 'which one; all without it').choices(benches.map(({ name }) => name)))
    .addOption(new Option('--kernel <series>', 'kernel of the guest').choices(['6.1', '6.12']).default('6.1'))
    .option('--json', 'end with one line of JSON: {"figures":[{"name":…,"value":…,"unit":…}]}')
    .addHelpText('after', help)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .action(async (name: string | undefined, options: Options) => {
      status = await measure(
        benches.filter((bench) => name === undefined || bench.name === name),
        options,
      );
    });
  try {
    await program.parseAsync();
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage;
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    return exit.failed;
  }
}

process.exitCode = await main();
