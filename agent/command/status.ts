import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { ask } from '../control/client.ts';

const examples = `
Examples:
  picket status
  picket status --json | jq .agent.ledger
`;

/** `picket status`: the agent and, where it runs on this machine, the collector. */
export function statusCommand(): Command {
  return new Command('status')
    .description('what the agent and the collector on this machine are doing')
    .option('--json', 'one object on one line')
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .addHelpText('after', examples)
    .action(async ({ json, config: file }: { json?: boolean; config?: string }) => {
      const config = readConfig(file);
      const agent = await ask<Record<string, unknown>>(controlSocket(config), 'GET', '/v1/status');
      const collectorSocket = join(config.runDir, 'collector.sock');
      const collector = existsSync(collectorSocket)
        ? await ask<Record<string, unknown>>(collectorSocket, 'GET', '/v1/status').catch(() => undefined)
        : undefined;
      const { workloads } = await ask<{ workloads: WorkloadLine[] }>(controlSocket(config), 'GET', '/v1/workloads');
      if (json) process.stdout.write(`${JSON.stringify({ agent, workloads, ...(collector && { collector }) })}\n`);
      else
        process.stdout.write(
          render('agent', agent) +
            renderWorkloads(workloads) +
            (collector ? render('collector', collector) : 'collector: none answers on this machine\n'),
        );
    });
}

/** A workload as the control socket lists it, as far as it is shown. */
interface WorkloadLine {
  namespace: string;
  pod: string;
  container: string;
  generation: number;
}

const shownWorkloads = 20;

/** The generation that each workload is under. */
function renderWorkloads(workloads: readonly WorkloadLine[]): string {
  const lines = workloads
    .slice(0, shownWorkloads)
    .map((each) => `  ${`${each.namespace}/${each.pod}/${each.container}`.padEnd(40)} generation ${each.generation}\n`);
  const more = workloads.length - lines.length;
  return `workloads\n${lines.join('')}${more > 0 ? `  and ${more} more (--json shows all)\n` : ''}`;
}

function render(title: string, values: Record<string, unknown>, indent = ''): string {
  let text = `${indent}${title}\n`;
  for (const [key, value] of Object.entries(values)) {
    if (typeof value === 'object' && value !== null)
      text += render(key, value as Record<string, unknown>, `${indent}  `);
    else text += `${indent}  ${key.padEnd(Math.max(4, 26 - indent.length))}${String(value)}\n`;
  }
  return text;
}
