import { refuseUncovered } from './coverage.ts';
import { type Diagnostic, diagnose, type Position, type Subject } from './diagnostic.ts';
import { readDocuments } from './document.ts';
import { formatField, printable } from './field.ts';
import { issueMessage, issuePath } from './issue.ts';
import { normalise } from './normalise.ts';
import { copyPlain, ObjectRefused } from './plain.ts';
import { type Locate, Report } from './report.ts';
import { type Policy, policyKinds } from './rule.ts';
import { type PolicyObject, policySchemas } from './schema.ts';

/** Rules in one policy. */
export const maxPolicyRules = 50_000;

/**
 * One policy object after reading. `policy` is there when the object may be taken over: status `Accepted`, or `Partial`
 * when something of it was left out. Otherwise an earlier version of the same identity stays in force.
 */
export interface PolicyReading {
  subject: Subject;
  policy?: Policy;
  status: 'Accepted' | 'Partial' | 'Invalid' | 'Unsupported';
  diagnostics: Diagnostic[];
  start?: Position;
  /** What was read, as its author wrote it. */
  object?: unknown;
}

/** Reads all policies of a YAML (or JSON) text; each document stands by itself, a bad one does not stop the others. */
export function readPolicies(text: string, file: string): PolicyReading[] {
  return readDocuments(text, file).map((document) => {
    if (document.kind === 'value') return { ...readObject(document.value, document.locate), start: document.start };
    const diagnostics = document.problems.map(({ message, position }) =>
      diagnose({}, 'InvalidValue', '', message, position),
    );
    return { subject: {}, status: 'Invalid', diagnostics, start: document.start };
  });
}

/** Reads one policy that is an object already: from the control socket or the Kubernetes API. */
export function parsePolicyObject(object: unknown): PolicyReading {
  return readObject(object, () => undefined);
}

/** Reads a policy again that was taken over before; `locate` knows where it stood. */
export function readPolicyAgain(object: unknown, locate: Locate): PolicyReading {
  return readObject(object, locate);
}

const unsupportedFields = ['apparmor', 'selinux', 'device'] as const;

function readObject(written: unknown, locate: Locate): PolicyReading {
  let object: unknown;
  try {
    object = copyPlain(written);
  } catch (error) {
    if (!(error instanceof ObjectRefused)) throw error;
    const { path, message } = error;
    const found = `found something else; allowed: ${message}`;
    const subject = isMap(written) ? subjectOf(written) : {};
    const diagnostics = [diagnose(subject, 'InvalidValue', formatField(path), found, locate(path))];
    return { subject, status: 'Invalid', diagnostics };
  }
  if (!isMap(object)) {
    const message = `found ${printable(object)}; allowed: a policy object`;
    return { subject: {}, status: 'Invalid', diagnostics: [diagnose({}, 'InvalidValue', '', message, locate([]))] };
  }
  const subject = subjectOf(object);
  const report = new Report(subject, locate);
  if (object.kind === 'KubeArmorNetworkPolicy') {
    report.refuse(['kind'], 'found KubeArmorNetworkPolicy, which is not supported; the object has no effect', {
      code: 'UnsupportedKind',
    });
    return { subject, status: 'Unsupported', diagnostics: report.diagnostics };
  }
  const policy = readKind(object, report);
  if (policy && !report.refused) {
    if (policy.rules.length > maxPolicyRules)
      report.refuse(['spec'], `found ${policy.rules.length} rules; allowed: at most ${maxPolicyRules}`);
    refuseUncovered(policy, report);
  }
  if (!policy || report.refused) return { subject, status: 'Invalid', diagnostics: report.diagnostics };
  const status = report.partial ? 'Partial' : 'Accepted';
  return { subject, policy, status, diagnostics: report.diagnostics, object: written };
}

/** Checks the object against the schema of its kind, leaving out what the language allows to be left out. */
function readKind(object: Record<string, unknown>, report: Report): Policy | undefined {
  const kind = policyKinds.find((known) => known === object.kind);
  if (kind === undefined) {
    const isList = typeof object.kind === 'string' && object.kind.endsWith('List') && Array.isArray(object.items);
    const advice = isList ? '; make each of its items a document of its own' : '';
    report.refuse(['kind'], `found ${printable(object.kind)}; allowed: ${policyKinds.join(', ')}${advice}`);
    return undefined;
  }
  delete object.status;
  if (isMap(object.spec))
    for (const field of unsupportedFields)
      if (field in object.spec) {
        report.add('UnsupportedField', ['spec', field], `${field} is not supported; the rest of the policy is applied`);
        delete object.spec[field];
      }
  const schema = policySchemas[kind];
  for (const issue of schema.safeParse(object).error?.issues ?? [])
    if (issue.code === 'unrecognized_keys') dropUnknown(object, issuePath(issue), issue.keys, report);
  if (report.refused) return undefined;
  const { data, error } = schema.safeParse(object);
  const told = new Set<string>();
  for (const issue of error?.issues ?? []) {
    const [path, message] = [issuePath(issue), issueMessage(issue, object)];
    // One value may break several rules that are told in the same words.
    const key = `${formatField(path)} ${message}`;
    if (!told.has(key)) report.refuse(path, message);
    told.add(key);
  }
  return data && normalise(data as PolicyObject, report);
}

/**
 * Removes fields that mean nothing in their place. Not in selectors: without a condition that was misspelt a policy
 * would cover more than its author wrote.
 */
function dropUnknown(
  object: Record<string, unknown>,
  path: readonly (string | number)[],
  keys: readonly string[],
  report: Report,
): void {
  let place: unknown = object;
  for (const part of path) place = (place as Record<string | number, unknown>)[part];
  for (const key of keys) {
    const field = [...path, key];
    if (/^spec\.(selector|nodeSelector)/.test(formatField(field)))
      report.refuse(field, 'found a condition that is not known here; allowed: the selector fields of this kind');
    else report.add('UnknownField', field, `${printable(key)} means nothing here; ignored`);
    delete (place as Record<string, unknown>)[key];
  }
}

function subjectOf(object: Record<string, unknown>): Subject {
  const metadata = isMap(object.metadata) ? object.metadata : {};
  // Only what can be printed: the names of a refused object have not been checked.
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' && /^[\x20-\x7e]{1,253}$/.test(value) ? value : undefined;
  const kind = text(object.kind);
  const policy = text(metadata.name);
  const namespace = kind === 'KubeArmorPolicy' ? (text(metadata.namespace) ?? 'default') : '';
  return {
    ...(policy !== undefined && { policy }),
    ...(kind !== undefined && { kind }),
    ...(namespace !== '' && { namespace }),
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
