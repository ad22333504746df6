import { Argument, Command, Option } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { ask } from '../control/client.ts';
import { AgentError } from '../error.ts';
import type { Answer } from '../policy/explain/answer.ts';
import type { RuleView } from '../policy/explain/explain.ts';
import { operations } from '../policy/explain/question.ts';

const examples = `
Examples:
  picket explain --workload shop/web exec /usr/bin/curl --from /bin/sh
  picket explain --workload shop/web open /etc/shadow --as 1000
  picket explain --workload shop/web socket tcp --json
  picket explain --workload shop/web syscall unlink --on /home/jane/notes
`;

interface Flags {
  workload: string;
  as?: number;
  from?: string;
  on?: string;
  tty?: boolean;
  arg: string[];
  all?: boolean;
  json?: boolean;
  config?: string;
}

/** `picket explain`: which rule decides an access, by which spelling, and why the others do not. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('which rule decides an access of a workload, and why the others do not; nothing is tried')
    .requiredOption('--workload <name>', 'NAMESPACE/POD[/CONTAINER], a container id, or host')
    .option('--from <program>', 'program that acts; of an exec: the parent. Without: rules with fromSource do not hold')
    .addOption(
      new Option('--as <uid>', 'user that acts, as the workload numbers users (default: the owner)').argParser(uid),
    )
    .option('--on <path>', 'path that a system call is made on')
    .option('--tty', 'with a controlling terminal')
    .option('--arg <argument>', 'argument of a program; may be repeated', (text, list: string[]) => [...list, text], [])
    .option('--all', 'rules that are about something else as well')
    .option('--json', 'one object on one line')
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .addArgument(new Argument('<operation>', 'what is done').choices(Object.keys(operations)))
    .argument('<object>', 'path; protocol, domain, capability or system call')
    .addHelpText('after', examples)
    .action(async (operation: string, object: string, flags: Flags) => {
      const found = await ask<Answer>(controlSocket(readConfig(flags.config)), 'POST', '/v1/explain', {
        ...{ workload: flags.workload, operation, object, terminal: flags.tty ?? false, args: flags.arg },
        ...(flags.from !== undefined && { from: flags.from }),
        ...(flags.on !== undefined && { on: flags.on }),
        ...(flags.as !== undefined && { uid: flags.as }),
      });
      process.stdout.write(flags.json ? `${JSON.stringify(found)}\n` : render(found, flags.all ?? false));
    });
}

function uid(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new AgentError('usage', `--as ${text}: found no number of a user`);
  return Number(text);
}

function render({ verdict, reason, object, owner, generation, rules }: Answer, all: boolean): string {
  const lines = [
    `${verdict}: ${reason}`,
    `  object ${object}${owner === undefined ? '' : `, owned by ${owner}`}; generation ${generation}`,
  ];
  for (const rule of rules) if (all || rule.result !== undefined) lines.push(...describe(rule));
  const others = rules.filter((rule) => rule.result === undefined).length;
  if (!all && others > 0) lines.push(`  ${others} rules of the category are about something else (--all shows them)`);
  return `${lines.join('\n')}\n`;
}

function describe(rule: RuleView): string[] {
  const { decides, kind, namespace, policy, path, action, severity, position, object, spelling, source, result, lost } =
    rule;
  const place = position ? ` (${position.file}:${position.line}:${position.column})` : '';
  const matched = [object && `${object}${spelling ? ` ${spelling}` : ''}`, source].filter(Boolean).join('; ');
  return [
    `${decides ? '* ' : '  '}${kind} ${namespace ? `${namespace}/` : ''}${policy} ${path}${place}`,
    `    ${action}, severity ${severity}${matched ? `; by ${matched}` : ''}${result ? `; says ${result}` : ''}`,
    ...(lost ? [`    lost: ${lost}`] : []),
  ];
}
