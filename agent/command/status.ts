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
      if (json) process.stdout.write(`${JSON.stringify({ agent, ...(collector && { collector }) })}\n`);
      else
        process.stdout.write(
          render('agent', agent) +
            (collector ? render('collector', collector) : 'collector: none answers on this machine\n'),
        );
    });
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
