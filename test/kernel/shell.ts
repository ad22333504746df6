import { Command, Option } from 'commander';
import { forward } from './forward.ts';
import { bootGuest } from './guest.ts';
import type { KernelSeries } from './image.ts';

interface Options {
  kernel: KernelSeries;
  icount?: boolean;
  memory: string;
  timeout: string;
  console?: boolean;
}

/** Boots a guest, runs one command in the current folder, prints what it prints while it does, exits with its status. */
async function main(command: string[], options: Options): Promise<void> {
  const started = performance.now();
  const say = (text: string) =>
    process.stderr.write(`[${((performance.now() - started) / 1000).toFixed(1)} s] ${text}\n`);
  await using guest = await bootGuest({
    kernel: options.kernel,
    icount: options.icount ?? false,
    memoryMiB: Number(options.memory),
  });
  say(`up: ${guest.release}`);
  const words = command.length === 1 ? String(command[0]) : command;
  const job = guest.start(words, { cwd: process.cwd(), timeoutMs: Number(options.timeout) * 1000 });
  const { status } = await forward(job).finally(() => {
    if (options.console) process.stderr.write(guest.console());
  });
  say(`exit status ${status}`);
  process.exitCode = status;
}

await new Command()
  .name('node test/kernel/shell.ts')
  .description(
    'Runs a command in a guest with a real kernel; one word is a shell script, several are a program with arguments.',
  )
  .argument('<command...>')
  .addOption(new Option('--kernel <series>', 'Debian kernel').choices(['6.1', '6.12']).default('6.1'))
  .option('--icount', 'count time in instructions, 2 ns each, one processor')
  .option('--memory <MiB>', 'memory of the guest', '3072')
  .option('--timeout <seconds>', 'limit of the command', '300')
  .option('--console', "print the guest's console at the end")
  .action(main)
  .parseAsync();
