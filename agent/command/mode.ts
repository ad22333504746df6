import { Argument, Command } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { ask, isAgentThere } from '../control/client.ts';
import { AgentError } from '../error.ts';
import { type Mode, readPinnedModes, writePinnedModes } from '../kernel/control.ts';
import { PinFolder, pinProblem } from '../kernel/pins.ts';

const examples = `
Examples:
  picket mode audit                every refusal passes from now on, and is reported
  picket mode enforce              refusals refuse again
  picket mode                      what it is now
`;

interface Flags {
  json?: boolean;
  config?: string;
}

/** `picket mode`: the break-glass. It works without an agent as well, on what is pinned. */
export function modeCommand(): Command {
  return new Command('mode')
    .description(
      'let every refusal pass and report it (audit), or refuse again (enforce), at once and for all workloads',
    )
    .addArgument(new Argument('[mode]', 'without it: say what it is').choices(['audit', 'enforce']))
    .option('--json', 'one object on one line')
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .addHelpText('after', examples)
    .action(async (wanted: Mode | undefined, { json, config: file }: Flags) => {
      const config = readConfig(file);
      const socket = controlSocket(config);
      const isRunning = await isAgentThere(socket);
      const pins = config.pins === 'off' ? undefined : new PinFolder(config.pins);
      const mode = isRunning ? await ofAgent(socket, wanted) : ofPins(pins, socket, wanted);
      const report = { mode, agent: isRunning ? 'running' : 'none' };
      process.stdout.write(
        json
          ? `${JSON.stringify(report)}\n`
          : `${mode}: ${mode === 'audit' ? 'what a rule forbids passes and is reported' : 'what a rule forbids is refused'}${isRunning ? '' : ' (no agent runs; its programs are pinned)'}\n`,
      );
    });
}

async function ofAgent(socket: string, wanted: Mode | undefined): Promise<Mode> {
  const { mode } =
    wanted === undefined
      ? await ask<{ mode: Mode }>(socket, 'GET', '/v1/status')
      : await ask<{ mode: Mode }>(socket, 'PUT', '/v1/mode', { mode: wanted });
  return mode;
}

function ofPins(pins: PinFolder | undefined, socket: string, wanted: Mode | undefined): Mode {
  const modes = pins === undefined ? [] : pinned(pins, wanted);
  if (modes.length === 0)
    throw new AgentError(
      'not-running',
      `no agent answers on ${socket} and no programs are pinned${pins === undefined ? '' : ` below ${pins.path}`}: nothing is enforced on this machine`,
    );
  return modes.includes('enforce') ? 'enforce' : 'audit';
}

/** The mode of each set of pins, after all have the one that is wanted. */
function pinned(pins: PinFolder, wanted: Mode | undefined): Mode[] {
  try {
    if (wanted !== undefined) writePinnedModes(pins, wanted);
    return readPinnedModes(pins);
  } catch (cause) {
    throw new AgentError('failed', `the pins below ${pins.path} cannot be used: ${pinProblem(cause)}`, { cause });
  }
}
