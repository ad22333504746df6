import { Command, InvalidArgumentError, Option } from 'commander';
import { readConfig } from '../config/file.ts';
import { defaultPlaces } from '../config/schema.ts';
import { CollectorError } from '../error.ts';
import { AlertReader } from '../sinks/store/reader.ts';
import { showAlerts } from './show.ts';
import { parseSince } from './since.ts';

interface Flags {
  follow?: boolean;
  json?: boolean;
  since?: string;
  limit?: number;
  namespace?: string;
  pod?: string;
  policy?: string;
  action?: string;
  store?: string;
  config?: string;
}

const EXAMPLES = `
Examples:
  picket alerts                               the latest 100
  picket alerts --follow                      the latest 10, and what comes from now on
  picket alerts --since 15m --action Block    what was refused in the last quarter of an hour
  picket alerts --json --since 1d | jq -r .Resource
`;

/** `picket alerts`: shows what is in the embedded store. */
export function alertsCommand(signal: AbortSignal): Command {
  return new Command('alerts')
    .description('show the alerts that the collector keeps on this machine')
    .option('-f, --follow', 'go on with alerts as they come, until Ctrl-C')
    .option('--json', 'one JSON object a line, as on Kafka')
    .option('--since <time>', 'alerts since a time (2026-11-24T08:00:00Z) or for a span (15m, 2h, 1d)')
    .addOption(
      new Option('-n, --limit <number>', 'at most so many, the latest (default: 100; with --follow 10)').argParser(
        number,
      ),
    )
    .option('--namespace <name>', 'of this namespace only')
    .option('--pod <name>', 'of this pod only')
    .option('--policy <name>', 'of this policy only')
    .option('--action <action>', 'with this action only: Block, Audit, "Audit (Block)", "Audit (Allow)"')
    .option('--store <path>', 'file of the alert store (default: that of the configuration)')
    .option('--config <file>', 'configuration of the collector (default: /etc/picket/collector.yaml)')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags, signal));
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const { follow = false, json = false, since, namespace, pod, policy, action } = flags;
  const sinceMs = since === undefined ? undefined : parseSince(since, Date.now());
  using reader = open(flags);
  const { isTTY: terminal = false, columns } = process.stdout;
  await showAlerts(
    reader,
    process.stdout,
    {
      ...{ follow, json, filter: { sinceMs, namespace, pod, policy, action } },
      limit: flags.limit ?? (since ? Number.MAX_SAFE_INTEGER : follow ? 10 : 100),
      width: terminal ? columns : undefined,
      colour: terminal && !process.env.NO_COLOR,
    },
    signal,
  );
}

function open({ store, config }: Flags): AlertReader {
  const path = store ?? readConfig(config).store?.path ?? `${defaultPlaces().stateDir}/alerts.db`;
  try {
    return new AlertReader(path);
  } catch (error) {
    if (!(error instanceof CollectorError) || error.code !== 'store-missing') throw error;
    throw new CollectorError(
      'store-missing',
      `${error.message}.
Has the collector run here? Start it with: picket collector
A collector that delivers to Kafka keeps no store unless its configuration says "store: {}"; its alerts are in the
topic picket.alerts. A store elsewhere: picket alerts --store PATH`,
      error,
    );
  }
}

function number(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed, such as 20.');
  return Number(text);
}
