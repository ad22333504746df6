import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { controlSocket } from '../agent.ts';
import { readConfig } from '../config.ts';
import { ask } from '../control/client.ts';
import { inOurPlace } from '../delegate.ts';
import { AgentError, exitStatus } from '../error.ts';
import { type Diagnostic, formatDiagnostic } from '../policy/diagnostic.ts';
import type { PolicyResult } from '../policy/enforcement.ts';
import { PolicyFileError, readPolicyFile } from '../policy/file.ts';
import { unreadable } from '../policy/folder.ts';
import { formatRepetition, type LintOptions, lintPolicy, repetitions } from '../policy/lint.ts';
import { type PolicyReading, readPolicies } from '../policy/read.ts';

/** By subcommand; its own help shows its own. */
const examples = {
  lint: [
    'picket policy lint policy.yaml                 check files without loading them',
    'picket policy lint --root /mnt/image policy.yaml',
  ],
  apply: ['picket policy apply policy.yaml more.yaml'],
  list: ['picket policy list', 'picket policy list --json | jq .status'],
  delete: ['picket policy delete block-base64 --namespace demo'],
  test: ["picket policy test test/conformance/cases --only 'seed-0*'"],
} as const;
const show = (lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;

interface Flags {
  config?: string;
  json?: boolean;
}

const caseRunner = fileURLToPath(new URL('../../test/conformance/run.ts', import.meta.url));

/** `picket policy`: policies of the running agent, and checks of policy files. */
export function policyCommand(done: (status: number) => void): Command {
  const command = new Command('policy')
    .description('check, apply, list and delete policies')
    .enablePositionalOptions()
    .addHelpText('after', show(Object.values(examples).flat()));
  const sub = (name: keyof typeof examples, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addHelpText('after', show(examples[name]))
      .option('--json', 'one object per line')
      .option('--config <file>', 'configuration of the agent');
  command
    .command('lint')
    .description('check policy files without loading them; exit status 1 when something in them would not be applied')
    .addHelpText('after', show(examples.lint))
    .option('--json', 'one object per line')
    .addOption(
      new Option('--backend <backend>', 'tell what this backend does not cover').choices(['lsm', 'tracepoint']),
    )
    .option('--root <dir>', 'root directory of an image: tell what is missing there, and which programs share a file')
    .argument('<file...>', 'YAML files; - is the standard input')
    .action((files: string[], flags: Flags & LintOptions) => done(lint(files, flags)));
  sub('apply', 'put the policies of files in force; exit status 1 when one was not taken over')
    .argument('<file...>', 'YAML files; - is the standard input')
    .action(async (files: string[], flags: Flags) => done(await apply(files, flags)));
  sub('list', 'the policies in force, and those that were refused').action(async (flags: Flags) => {
    const { results, diagnostics } = await ask<{ results: PolicyResult[]; diagnostics: Diagnostic[] }>(
      controlSocket(readConfig(flags.config)),
      'GET',
      '/v1/policies',
    );
    print(results, flags.json);
    for (const diagnostic of diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
  });
  sub('delete', 'remove policies by name')
    .option('--namespace <name>', 'of this namespace only')
    .argument('<name...>', 'names of policies')
    .action(async (names: string[], flags: Flags & { namespace?: string }) => done(await remove(names, flags)));
  command
    .command('test')
    .description('run conformance cases: a folder of *.yaml (needs a checkout)')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[arguments...]', 'DIR and options; "picket policy test --help" lists them')
    .passThroughOptions()
    .action(async (_arguments: string[], _flags: unknown, self: Command) => {
      if (!existsSync(caseRunner))
        throw new AgentError(
          'not-supported',
          'conformance cases need a checkout of the Picket repository: clone it and run the command there',
        );
      done(await inOurPlace(spawn(process.execPath, [caseRunner, ...self.args], { stdio: 'inherit' })));
    });
  return command;
}

/** The text of a file, or what is wrong with it. @throws AgentError `usage` when nothing can be read there */
function readText(file: string): string | PolicyFileError {
  try {
    return readPolicyFile(file, { pipes: true });
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    if (error.blame === 'path') throw new AgentError('usage', `${file} ${error.message}`, { cause: error });
    return error;
  }
}

/** What can be read is checked, whatever stands beside it. */
function lint(files: readonly string[], { json, backend, root }: Flags & LintOptions): number {
  if (root !== undefined && !statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new AgentError('usage', `--root ${root}: found no folder there`);
  const readings: PolicyReading[] = [];
  const faults: AgentError[] = [];
  for (const file of files)
    try {
      const text = readText(file);
      readings.push(...(text instanceof PolicyFileError ? [unreadable(text)] : readPolicies(text, file)));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      faults.push(error);
    }
  let bad = 0;
  let isWrong = false;
  for (const { policy, diagnostics } of readings) {
    const found = [...diagnostics, ...(policy ? lintPolicy(policy, { backend, root }) : [])];
    for (const diagnostic of found)
      process.stdout.write(`${json ? JSON.stringify(diagnostic) : formatDiagnostic(diagnostic)}\n`);
    if (policy === undefined || found.some(({ code }) => code === 'LoadFailed')) bad++;
    isWrong ||= policy === undefined || found.some(({ level }) => level === 'error');
  }
  for (const repetition of repetitions(readings)) process.stderr.write(`picket: ${formatRepetition(repetition)}\n`);
  if (!json && readings.length > 0)
    process.stdout.write(`${count(readings.length)}, ${bad} that would not be loaded\n`);
  else if (!json && faults.length === 0) process.stdout.write('no policies\n');
  if (faults.length > 0) throw new AgentError('usage', faults.map(({ message }) => message).join('\npicket: '));
  return isWrong ? exitStatus.failed : exitStatus.ok;
}

const count = (policies: number): string => (policies === 1 ? '1 policy' : `${policies} policies`);

/** The agent gets the texts, so that it can say later in which line a rule stands. */
async function apply(files: readonly string[], { json, config }: Flags): Promise<number> {
  const texts = files.map((file) => ({ file: file === '-' ? file : resolve(file), text: readText(file) }));
  const faults = texts.flatMap(({ text }) => (text instanceof PolicyFileError ? unreadable(text).diagnostics : []));
  const { results } = await ask<{ results: PolicyResult[] }>(controlSocket(readConfig(config)), 'PUT', '/v1/policies', {
    files: texts.filter(({ text }) => typeof text === 'string'),
  });
  print(results, json);
  const readings = texts.flatMap(({ file, text }) => (typeof text === 'string' ? readPolicies(text, file) : []));
  for (const repetition of repetitions(readings)) process.stderr.write(`picket: ${formatRepetition(repetition)}\n`);
  for (const diagnostic of faults) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
  const failed = results.some(({ status }) => status === 'Invalid' || status === 'Unsupported');
  return failed || faults.length > 0 ? exitStatus.failed : exitStatus.ok;
}

async function remove(
  names: readonly string[],
  { namespace, config }: Flags & { namespace?: string },
): Promise<number> {
  const policies = names.map((name) => ({ name, ...(namespace !== undefined && { namespace }) }));
  const { deleted } = await ask<{ deleted: { kind: string; namespace: string; name: string }[] }>(
    controlSocket(readConfig(config)),
    'DELETE',
    '/v1/policies',
    { policies },
  );
  for (const { kind, namespace: place, name } of deleted)
    process.stdout.write(`deleted ${kind} ${place ? `${place}/` : ''}${name}\n`);
  const missing = names.filter((name) => !deleted.some((policy) => policy.name === name));
  for (const name of missing)
    process.stderr.write(`picket: no policy ${name}; "picket policy list" shows what is in force\n`);
  return missing.length > 0 ? exitStatus.failed : exitStatus.ok;
}

function print(results: readonly PolicyResult[], json: boolean | undefined): void {
  if (json) {
    for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const table = new Table({
    head: ['kind', 'namespace', 'name', 'status', 'generation', 'workloads'],
    style: { head: [], border: [] },
  });
  for (const { kind, namespace, name, status, observedGeneration, workloads } of results)
    table.push([kind, namespace, name, status, observedGeneration, workloads]);
  process.stdout.write(results.length === 0 ? 'no policies\n' : `${table.toString()}\n`);
  for (const { kind, namespace, name, status, observedGeneration, diagnostics } of results) {
    for (const diagnostic of diagnostics)
      (diagnostic.level === 'error' ? process.stderr : process.stdout).write(`${formatDiagnostic(diagnostic)}\n`);
    if (status === 'Invalid' && observedGeneration > 0)
      process.stderr.write(
        `${kind} ${namespace ? `${namespace}/` : ''}${name} was refused; the version of generation ${observedGeneration} stays in force\n`,
      );
  }
}
