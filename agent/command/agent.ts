import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { logPolicies } from '../control/api.ts';
import { createLog } from '../log.ts';
import { runAgent } from '../main.ts';

const examples = `
Examples:
  picket agent                          with /etc/picket/agent.yaml, or the defaults
  picket agent --config agent.yaml
`;

/** `picket agent`: the agent alone, until a signal. */
export function agentCommand(signal: AbortSignal): Command {
  return new Command('agent')
    .description('enforce policies on this machine and send alerts to a collector')
    .option('--config <file>', 'configuration (default: /etc/picket/agent.yaml, if there is one)')
    .addHelpText('after', examples)
    .action(async ({ config: file }: { config?: string }) => {
      const config = readConfig(file);
      const { dir } = config.policies;
      const log = createLog('picket-agent');
      await runAgent({
        config,
        policyDirs: dir === undefined ? [] : [dir],
        log,
        signal,
        outlives: true,
        ready: (agent) => {
          logPolicies(agent.policyFiles, log);
          process.send?.({ kind: 'ready', socket: agent.socket });
        },
      });
    });
}
