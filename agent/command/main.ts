import { Command, CommanderError } from 'commander';
import { StateError } from '../../otel/errors.ts';
import { delegate } from '../delegate.ts';
import { AgentError, exitStatus } from '../error.ts';
import { KernelError } from '../kernel/error.ts';
import { version } from '../version.ts';
import { agentCommand } from './agent.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { modeCommand } from './mode.ts';
import { policyCommand } from './policy.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { unloadCommand } from './unload.ts';
import { upCommand } from './up.ts';

const examples = `
Examples:
  picket up                        agent, collector and store on this machine; alerts on the terminal
  picket run --namespace shop --pod web --label app=web -- ./server
  picket policy apply policy.yaml
  picket alerts --follow
  picket doctor                    what this kernel offers, and what follows
`;

/** The one program: the agent's commands run here, the collector's in a process of their own. */
export async function main(): Promise<number> {
  const [, , name = '', ...rest] = process.argv;
  if (name === 'collector' || name === 'alerts') return delegate([name, ...rest]);
  const stop = new AbortController();
  // A command that only asks or reads has nothing to tidy up: a signal ends it, whatever it waits for.
  if (!['policy', 'status', 'explain', 'config'].includes(name))
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  let status: number = exitStatus.ok;
  const program = new Command('picket')
    .description('security policies enforced in the kernel, alerts as OpenTelemetry records')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .enablePositionalOptions()
    .addHelpText('after', examples);
  const done = (code: number): void => {
    status = code;
  };
  for (const command of [
    upCommand(stop.signal),
    agentCommand(stop.signal),
    runCommand(stop.signal, done),
    policyCommand(done),
    doctorCommand(done),
    statusCommand(),
    explainCommand(),
    modeCommand(),
    unloadCommand(done),
    configCommand(done),
  ]) {
    for (const each of [command, ...command.commands])
      each.exitOverride().showHelpAfterError('(--help shows what there is)');
    program.addCommand(command);
  }
  // Listed in the help; carried out above.
  program.command('collector').description('take alerts from agents over OTLP and deliver them');
  program.command('alerts').description('show the alerts that the collector keeps on this machine');
  try {
    await program.parseAsync();
    return status;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage;
  if (error instanceof AgentError) {
    process.stderr.write(`picket: ${error.message}\n`);
    if (error.code === 'usage') return exitStatus.usage;
    return error.code === 'not-supported' ? exitStatus.notSupported : exitStatus.failed;
  }
  if (error instanceof KernelError) {
    process.stderr.write(`picket: ${error.message}${error.log ? `\n${error.log}` : ''}\n`);
    return error.code === 'not-supported' || error.code === 'no-library' ? exitStatus.notSupported : exitStatus.failed;
  }
  if (error instanceof StateError || isSystemError(error)) {
    process.stderr.write(`picket: ${error.message}\n`);
    return exitStatus.failed;
  }
  throw error;
}

/** The system refused something: its own words name the call and the path, which is more than a stack trace would. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === 'number';
}
