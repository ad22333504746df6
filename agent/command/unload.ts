import { Command } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { ask, isAgentThere } from '../control/client.ts';
import { AgentError, exitStatus } from '../error.ts';
import { PinFolder, pinProblem, type Removed, untilGone } from '../kernel/pins.ts';

const examples = `
Examples:
  picket unload                    enforcement ends, now
  picket unload --json | jq .programs
`;

/** How long an agent that was told to unload has for its last alerts. */
const agentEndsMs = 15_000;

/** `picket unload`: takes programs, maps and pins out of the kernel, with a running agent or without. */
export function unloadCommand(done: (status: number) => void): Command {
  return new Command('unload')
    .description('end enforcement: take all programs, maps and pins out of the kernel; a running agent ends')
    .option('--json', 'one object on one line')
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .addHelpText('after', examples)
    .action(async ({ json = false, config: file }: { json?: boolean; config?: string }) => {
      done(await unload({ json, file }));
    });
}

async function unload({ json, file }: { json: boolean; file: string | undefined }): Promise<number> {
  const config = readConfig(file);
  const socket = controlSocket(config);
  const isRunning = await isAgentThere(socket);
  const removed = isRunning ? await askAgent(socket) : [];
  // What no agent knows of: pins that are not whole, or all of them when none runs.
  if (config.pins !== 'off') removed.push(...removePins(new PinFolder(config.pins)));
  const left = await untilGone(removed, isRunning ? agentEndsMs : undefined);
  const report = {
    agent: isRunning ? 'ended' : 'none was running',
    paths: removed.map(({ path }) => path).filter((path) => path !== ''),
    links: count(removed, 'links'),
    programs: count(removed, 'programs'),
    maps: count(removed, 'maps'),
    left,
  };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : render(report));
  return left.links.length + left.programs.length + left.maps.length === 0 ? exitStatus.ok : exitStatus.failed;
}

async function askAgent(socket: string): Promise<Removed[]> {
  return (await ask<{ removed: Removed[] }>(socket, 'POST', '/v1/unload')).removed;
}

function removePins(folder: PinFolder): Removed[] {
  try {
    const removed = folder.sets.flatMap((set) => set.remove() ?? []);
    folder.removeIfEmpty();
    return removed;
  } catch (cause) {
    throw new AgentError('failed', `the pins below ${folder.path} cannot be removed: ${pinProblem(cause)}`, { cause });
  }
}

function count(removed: readonly Removed[], kind: 'links' | 'programs' | 'maps'): number {
  return new Set(removed.flatMap((each) => each[kind])).size;
}

function render({ agent, paths, links, programs, maps, left }: Report): string {
  if (links + programs + maps === 0 && paths.length === 0)
    return `Nothing of Picket was in the kernel${agent === 'ended' ? '; the agent has ended' : ''}.\n`;
  const lines = [
    `Agent      ${agent}`,
    `Taken out  ${links} links, ${programs} programs, ${maps} maps: nothing is enforced any more`,
    ...paths.map((path) => `Removed    ${path}`),
  ];
  const still = [
    ...left.programs.map((id) => `program ${id}`),
    ...left.links.map((id) => `link ${id}`),
    ...left.maps.map((id) => `map ${id}`),
  ];
  if (still.length > 0)
    lines.push(`Still there  ${still.join(', ')}: some process holds them; "bpftool prog show" names it`);
  return `${lines.join('\n')}\n`;
}

interface Report {
  agent: string;
  paths: string[];
  links: number;
  programs: number;
  maps: number;
  left: { links: number[]; programs: number[]; maps: number[] };
}
