import { closeSync, writeSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import pino from 'pino';
import { type Collector, startCollector } from './collector.ts';
import { readConfig } from './config/file.ts';
import { defaultsYaml } from './config/reference.ts';
import { version } from './version.ts';

interface Flags {
  config?: string;
  readyFd?: number;
  printDefaults?: boolean;
  logLevel?: string;
}

const EXAMPLES = `
Examples:
  picket collector                           with /etc/picket/collector.yaml, or the defaults
  picket collector --config collector.yaml
  picket collector --print-defaults > collector.yaml
`;

/** `picket collector`: receives OTLP, keeps it on disk, delivers it, until `signal` aborts. */
export function collectorCommand(signal: AbortSignal): Command {
  return new Command('collector')
    .description('take alerts from agents over OTLP and deliver them to Kafka or keep them on this machine')
    .option('--config <file>', 'configuration (default: /etc/picket/collector.yaml, if there is one)')
    .option('--print-defaults', 'print all keys with their defaults and end')
    .addOption(
      new Option('--log-level <level>', 'lowest level that is written (default: that of the configuration)').choices([
        ...['error', 'warn', 'info', 'debug'],
      ]),
    )
    .addOption(
      new Option('--ready-fd <number>', 'file descriptor to say "ready" on, as a line of JSON').argParser(descriptor),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      if (flags.printDefaults) process.stdout.write(defaultsYaml());
      else await run(flags, signal);
    });
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const config = readConfig(flags.config);
  // Synchronous: the last line before an end must not be lost, and there are few.
  const lines = pino.destination({ fd: 2, sync: true });
  lines.on('error', () => {}); // the terminal is gone; there is still a spool to close
  const log = pino({ name: 'picket-collector', level: flags.logLevel ?? config.log.level }, lines);
  await using collector = await startCollector(config, log, version);
  const ready = { address: collector.address, sinks: collector.sinks, statusSocket: config.statusSocket };
  log.info({ ...ready, store: config.store?.path, kafka: config.kafka?.brokers, version }, 'ready');
  announce(ready, flags.readyFd);
  await ended(signal);
  log.info({ sinks: deliveredBy(collector) }, 'stopping');
}

function announce(ready: object, readyFd: number | undefined): void {
  process.send?.({ kind: 'ready', ...ready });
  if (readyFd === undefined) return;
  writeSync(readyFd, `${JSON.stringify({ kind: 'ready', ...ready })}\n`);
  closeSync(readyFd);
}

function ended(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}

const deliveredBy = (collector: Collector) => (collector.status() as { sinks: unknown }).sinks;

function descriptor(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('the number of an open file descriptor is needed.');
  return Number(text);
}
