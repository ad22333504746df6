import { type Diagnostic, type DiagnosticCode, diagnose, type Position, type Subject } from './diagnostic.ts';
import { type FieldPath, formatField } from './field.ts';

/** Finds where a field of the object stands; `key`: its name rather than its value. */
export type Locate = (path: FieldPath, what?: 'value' | 'key') => Position | undefined;

/** Diagnostics kept per policy; what exceeds this is summed up in one more. */
const maxDiagnostics = 100;

/** Codes after which something of the policy is left out while the rest holds. */
const partialCodes: ReadonlySet<DiagnosticCode> = new Set([
  'InvalidValue',
  'UnknownName',
  'UnknownField',
  'UnsupportedField',
]);

/** Collects what there is to say about one policy object while it is read. */
export class Report {
  readonly #diagnostics: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  readonly #locate: Locate;
  readonly subject: Subject;
  #left = 0;
  #leftCode: DiagnosticCode = 'InvalidValue';
  #refused = false;
  #partial = false;

  constructor(subject: Subject, locate: Locate) {
    this.subject = subject;
    this.#locate = locate;
  }

  /** Whether the object must not be taken over. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Whether something was left out. */
  get partial(): boolean {
    return this.#partial;
  }

  get diagnostics(): Diagnostic[] {
    if (this.#left === 0) return this.#diagnostics;
    const message = `${this.#left} more findings are not listed`;
    return [...this.#diagnostics, diagnose(this.subject, this.#leftCode, 'spec', message)];
  }

  locate(path: FieldPath): Position | undefined {
    return this.#locate(path);
  }

  field(path: FieldPath): string {
    return formatField(path);
  }

  /** Notes something about a field; the object stays usable. */
  add(code: DiagnosticCode, path: FieldPath, message: string): void {
    if (partialCodes.has(code)) this.#partial = true;
    this.#push(code, formatField(path), message, () => this.#locate(path, code === 'UnknownField' ? 'key' : 'value'));
  }

  /** The same, at most once for each field and code. */
  once(code: DiagnosticCode, path: FieldPath, message: string): void {
    const key = `${code} ${formatField(path)}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.add(code, path, message);
  }

  /** Notes why the object is not taken over; a field that is already text brings its position along. */
  refuse(
    field: FieldPath | string,
    message: string,
    { code = 'InvalidValue', position }: { code?: DiagnosticCode; position?: Position | undefined } = {},
  ): void {
    this.#refused = true;
    if (typeof field === 'string') this.#push(code, field, message, () => position);
    else this.#push(code, formatField(field), message, () => position ?? this.#locate(field));
  }

  #push(code: DiagnosticCode, field: string, message: string, position: () => Position | undefined): void {
    // Finding a position takes time, and the object may hold any number of mistakes.
    if (this.#diagnostics.length < maxDiagnostics)
      this.#diagnostics.push(diagnose(this.subject, code, field, message, position()));
    else if (this.#left++ === 0) this.#leftCode = code;
  }
}
