import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../error.ts';
import { diagnose } from './diagnostic.ts';
import { type PolicyReading, readPolicies } from './read.ts';

/**
 * Reads all policies of the `*.yaml` files in a folder, in the order of their names. A file that cannot be read counts as
 * one invalid policy and does not stop the others.
 *
 * @throws AgentError `config` when the folder itself cannot be read
 */
export function readPolicyFolder(dir: string): PolicyReading[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (cause) {
    throw new AgentError('config', `the policy folder ${dir} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const files = names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
  return files.flatMap((name) => readFile(join(dir, name)));
}

function readFile(file: string): PolicyReading[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const start = { file, line: 1, column: 1 };
    const problem = diagnose({}, 'InvalidValue', '', `cannot be read: ${(error as Error).message}`, start);
    return [{ subject: {}, status: 'Invalid', diagnostics: [problem], start }];
  }
  return readPolicies(text, file);
}
