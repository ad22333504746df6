import type { z } from 'zod';
import { type FieldPath, printable, valueAt } from './field.ts';

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  boolean: 'true or false',
  int: 'an integer',
  number: 'a number',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** The place of an issue as a field path. */
export function issuePath(issue: z.core.$ZodIssue): FieldPath {
  return issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
}

/** "found …; allowed: …" for one issue of the schema; our own schema messages say what is allowed. */
export function issueMessage(issue: z.core.$ZodIssue, object: unknown): string {
  return `found ${printable(valueAt(object, issuePath(issue)))}; allowed: ${allowed(issue)}`;
}

function allowed(issue: z.core.$ZodIssue): string {
  const own = /^(Invalid|Too|Unrecognized)/.test(issue.message) ? undefined : issue.message;
  if (own !== undefined) return own;
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.map(String).join(', ');
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String).join(', ') : issue.message;
    case 'too_big':
      return `at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : ''}`;
    case 'too_small':
      return `at least ${issue.minimum}${issue.origin === 'string' ? ' characters' : ''}`;
    default:
      return issue.message;
  }
}
