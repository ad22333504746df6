import { Command, CommanderError } from 'commander';
import { StateError } from '../otel/errors.ts';
import { alertsCommand } from './alerts/command.ts';
import { collectorCommand } from './command.ts';
import { configCommand } from './config/command.ts';
import { CollectorError } from './error.ts';

/** Exit codes: 0 ok, 1 failed, 2 usage. */
async function main(): Promise<number> {
  const stop = new AbortController();
  // Not once: on Ctrl-C the terminal tells us, and who started us tells us again.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
  // Who started us and waits on the IPC channel has gone: so has the reason to run.
  process.once('disconnect', () => stop.abort());
  const program = new Command('picket').exitOverride();
  for (const command of [collectorCommand(stop.signal), alertsCommand(stop.signal), configCommand()]) {
    for (const each of [command, ...command.commands])
      each.exitOverride().showHelpAfterError('(--help shows what there is)');
    program.addCommand(command);
  }
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof CollectorError) && !(error instanceof StateError)) throw error;
    process.stderr.write(`picket: ${error.message}\n`);
    return error.code === 'usage' ? 2 : 1;
  }
}

process.stdout.on('error', () => {}); // a reader that has seen enough, as in `picket alerts | head`
process.exitCode = await main();
// Nothing holds the process but what is still to be written, and a parent's IPC channel.
if (process.connected) process.disconnect?.();
await new Promise((resolve) => process.stdout.write('', resolve));
setTimeout(() => process.exit(), 500).unref();
