import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { parseConfig, readConfig } from '../config.ts';
import { defaultsYaml } from '../config-reference.ts';
import { delegate } from '../delegate.ts';

type Program = 'agent' | 'collector';

const checkExamples = `
Examples:
  picket config check /etc/picket/agent.yaml
  picket config check --of collector /etc/picket/collector.yaml
`;

const examples = `${checkExamples.trimEnd()}
  picket config --print-defaults > /etc/picket/agent.yaml
  picket config --print-defaults --of collector > /etc/picket/collector.yaml
`;

const whose = (): Option =>
  new Option('--of <program>', 'whose configuration it is (default: by the name of the file)').choices([
    'agent',
    'collector',
  ]);

/** `picket config`: checks a configuration file, or prints all keys with their defaults. */
export function configCommand(done: (status: number) => void): Command {
  const command = new Command('config')
    .description('check a configuration file, or print the defaults')
    .option('--print-defaults', 'print all keys with their defaults')
    .addOption(whose())
    .addHelpText('after', examples)
    .action(async ({ printDefaults, of = 'agent' }: { printDefaults?: boolean; of?: Program }) => {
      if (!printDefaults) return command.help({ error: true });
      if (of === 'collector') return done(await delegate(['config', '--print-defaults']));
      const text = defaultsYaml();
      parseConfig(text, 'the defaults'); // what is printed can be read back
      process.stdout.write(text);
    });
  command
    .command('check')
    .description('say whether a file is a valid configuration, and what is wrong with it')
    .addOption(whose())
    .addHelpText('after', checkExamples)
    .argument('<file>', 'the file')
    .action(async (file: string, { of }: { of?: Program }) => {
      const program =
        of ?? command.opts<{ of?: Program }>().of ?? (basename(file).includes('collector') ? 'collector' : 'agent');
      if (program === 'collector') return done(await delegate(['config', 'check', file]));
      readConfig(file);
      process.stdout.write(`${file}: valid\n`);
    });
  return command;
}
