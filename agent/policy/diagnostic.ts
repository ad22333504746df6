/** Every code of a diagnostic with its level: error = not applied, warning = applied otherwise than expected. */
export const diagnosticLevels = {
  UnsupportedKind: 'error',
  UnsupportedField: 'warning',
  InvalidValue: 'error',
  UnknownName: 'error',
  UnknownField: 'warning',
  ActionIgnored: 'warning',
  SyscallNotHere: 'warning',
  NoPathInCall: 'warning',
  NormalisedValue: 'info',
  SharedTarget: 'warning',
  TargetMissing: 'info',
  NotCovered: 'warning',
  Renamable: 'info',
  InvalidAnnotation: 'warning',
  NoRules: 'warning',
  NoWorkload: 'info',
  LoadFailed: 'error',
} as const satisfies Record<string, 'error' | 'warning' | 'info'>;

export type DiagnosticCode = keyof typeof diagnosticLevels;

/** Where in a file something stands; lines and columns count from 1. */
export interface Position {
  file: string;
  line: number;
  column: number;
}

/** What a policy author is told about one field. `policy` and `kind` are absent when a namespace is meant. */
export interface Diagnostic {
  policy?: string;
  kind?: string;
  namespace?: string;
  field: string;
  level: 'error' | 'warning' | 'info';
  code: DiagnosticCode;
  message: string;
  position?: Position;
}

/** The object that a diagnostic is about, as far as it could be read. */
export interface Subject {
  policy?: string;
  kind?: string;
  namespace?: string;
}

/** A policy as the subject of a diagnostic. */
export function subjectOf({ kind, namespace, name }: { kind: string; namespace: string; name: string }): Subject {
  return { policy: name, kind, ...(namespace !== '' && { namespace }) };
}

/** Builds a diagnostic; the level follows from the code. */
export function diagnose(
  subject: Subject,
  code: DiagnosticCode,
  field: string,
  message: string,
  position?: Position,
): Diagnostic {
  return { ...subject, field, level: diagnosticLevels[code], code, message, ...(position && { position }) };
}

/** One line for people: `file.yaml:3:9: error InvalidValue KubeArmorPolicy default/x spec.action: found …; allowed: …`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { position, level, code, kind, namespace, policy, field, message } = diagnostic;
  const place = position ? `${position.file}:${position.line}:${position.column}: ` : '';
  const name = [namespace, policy].filter((part) => part !== undefined && part !== '').join('/');
  return `${place}${[level, code, kind, name, field].filter((part) => part !== undefined && part !== '').join(' ')}: ${message}`;
}
