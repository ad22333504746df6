import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../error.ts';
import { diagnose } from './diagnostic.ts';
import { PolicyFileError, readPolicyFile } from './file.ts';
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
  try {
    return readPolicies(readPolicyFile(file, { pipes: false }), file);
  } catch (error) {
    if (error instanceof PolicyFileError) return [unreadable(error)];
    throw error;
  }
}

/** A file that cannot be read counts as one invalid policy. */
export function unreadable({ message, position }: PolicyFileError): PolicyReading {
  const diagnostics = [diagnose({}, 'InvalidValue', '', message, position)];
  return { subject: {}, status: 'Invalid', diagnostics, start: position };
}
