import { Command, Option } from 'commander';
import { doctor } from '../kernel/doctor.ts';
import type { Backend } from '../kernel/feature.ts';

const examples = `
Examples:
  picket doctor
  picket doctor --json | jq .coverage
  picket doctor --only tracepoint       as if this kernel had no BPF LSM
`;

/** `picket doctor`. Exit status 3 when Picket cannot work here. */
export function doctorCommand(done: (status: number) => void): Command {
  return new Command('doctor')
    .description('what this kernel offers, found out by loading, and what follows')
    .option('--json', 'one object on one line')
    .addOption(
      new Option('--only <backend>', 'judge as if there were this backend alone').choices(['lsm', 'tracepoint']),
    )
    .addHelpText('after', examples)
    .action(({ json = false, only }: { json?: boolean; only?: Backend }) => {
      done(doctor({ json, write: (text) => process.stdout.write(text), ...(only && { only }) }));
    });
}
