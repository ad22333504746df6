import { Command } from 'commander';
import { CONFIG_FILE, readConfig } from './file.ts';
import { defaultsYaml } from './reference.ts';

const EXAMPLES = `
Examples:
  main.ts config --print-defaults > /etc/picket/collector.yaml
  main.ts config check /etc/picket/collector.yaml
`;

/** The collector's half of `picket config`. */
export function configCommand(): Command {
  const command = new Command('config')
    .description('check a configuration of the collector, or print the defaults')
    .option('--print-defaults', 'print all keys with their defaults')
    .addHelpText('after', EXAMPLES)
    .action((flags: { printDefaults?: boolean }) => {
      if (!flags.printDefaults) command.help({ error: true });
      process.stdout.write(defaultsYaml());
    });
  command
    .command('check')
    .description('say whether a file is a valid configuration, and what is wrong with it')
    .argument('[file]', 'the file', CONFIG_FILE)
    .action((file: string) => {
      readConfig(file);
      process.stdout.write(`${file}: valid\n`);
    });
  return command;
}
