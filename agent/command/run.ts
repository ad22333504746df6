import { Command } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { AgentError } from '../error.ts';
import { runLocal } from '../workload/local.ts';

const examples = `
Examples:
  picket run --namespace shop --pod web -- ./server --port 80
  picket run --namespace demo --pod sample --label app=sample -- sh -c 'cat /run/picket/demo/credentials/password'
`;

interface Flags {
  namespace: string;
  pod: string;
  container?: string;
  image?: string;
  label: Record<string, string>;
  config?: string;
}

/** `picket run`: a command as a workload of this machine, under the policies that cover it. Its exit status is ours. */
export function runCommand(signal: AbortSignal, done: (status: number) => void): Command {
  return new Command('run')
    .description('run a command as a workload, under the policies that cover it')
    .requiredOption('--namespace <name>', 'namespace of the workload')
    .requiredOption('--pod <name>', 'pod of the workload')
    .option('--container <name>', 'container of the workload (default: the pod)')
    .option('--image <image>', 'image, shown in alerts')
    .option('--label <key=value>', 'label of the pod; may be repeated', addLabel, {})
    .option('--config <file>', 'configuration of the agent (default: /etc/picket/agent.yaml)')
    .passThroughOptions()
    .argument('<command...>', 'the command, after --')
    .addHelpText('after', examples)
    .action(async (command: string[], { namespace, pod, container, image, label, config }: Flags) => {
      const workload = {
        namespace,
        pod,
        container: container ?? pod,
        labels: label,
        ...(image !== undefined && { image }),
      };
      done(await runLocal(controlSocket(readConfig(config)), workload, command, { signal, stdio: 'inherit' }));
    });
}

function addLabel(text: string, labels: Record<string, string>): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new AgentError('usage', `--label ${text}: found no key=value`);
  return { ...labels, [text.slice(0, equals)]: text.slice(equals + 1) };
}
