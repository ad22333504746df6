import type { Backend } from '../kernel/feature.ts';
import { CompileError, keysOf } from './compile.ts';
import { gapsOf } from './coverage.ts';
import type { Diagnostic } from './diagnostic.ts';
import { openRoot, type ReadEntry } from './links.ts';
import type { PolicyReading } from './read.ts';
import { renamableDirectories } from './renamable.ts';
import { type Policy, policyKey } from './rule.ts';
import { resolveSpellings } from './spelling.ts';
import { targetDiagnostics } from './target.ts';

export interface LintOptions {
  /** What it does not cover is told. */
  backend?: Backend | undefined;
  /** Root directory of an image or a container: what is missing there and what links lead to is told. */
  root?: string | undefined;
}

/** Nothing is known to be a link, nothing to be missing. */
const unread: ReadEntry = () => ({ kind: 'other' });

/**
 * What there is to say about a policy that was read, without an agent: also whether it could be loaded on a workload that no
 * other policy covers. Throws the system's error when the root cannot be opened.
 */
export function lintPolicy(policy: Policy, { backend, root }: LintOptions): Diagnostic[] {
  using opened = root === undefined ? undefined : openRoot(root);
  const resolved = resolveSpellings([policy], opened?.read ?? unread);
  const targets =
    root === undefined ? [] : targetDiagnostics(policy, [{ workload: root, resolved }], { open: (at) => openRoot(at) });
  return [
    ...loadFailures(() => keysOf([policy], resolved.spellings)),
    ...(backend === undefined ? [] : gapsOf(policy, backend)),
    ...targets,
    ...renamableDirectories(policy),
  ];
}

function loadFailures(compile: () => unknown): readonly Diagnostic[] {
  try {
    compile();
    return [];
  } catch (error) {
    if (error instanceof CompileError) return error.diagnostics;
    throw error;
  }
}

/** Policies that stand more than once among those read, each with the one before it. */
export function repetitions(readings: readonly PolicyReading[]): { earlier: PolicyReading; later: PolicyReading }[] {
  const known = new Map<string, PolicyReading>();
  return readings.flatMap((later) => {
    const { policy } = later;
    if (policy === undefined) return [];
    const key = policyKey(policy);
    const earlier = known.get(key);
    known.set(key, later);
    return earlier === undefined ? [] : [{ earlier, later }];
  });
}

/** One line for people. */
export function formatRepetition({ earlier, later }: { earlier: PolicyReading; later: PolicyReading }): string {
  const place = ({ start }: PolicyReading): string => (start ? `${start.file}:${start.line}:${start.column}` : '');
  const { kind, namespace, policy } = later.subject;
  const name = [namespace, policy].filter(Boolean).join('/');
  return `${place(later)}: ${kind} ${name} stands at ${place(earlier)} as well: the last one replaces the others as a whole`;
}
