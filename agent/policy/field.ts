/** A place inside a policy object: keys and list indices from the top. */
export type FieldPath = readonly (string | number)[];

/**
 * Writes a place the way diagnostics name it: `spec.file.matchPaths[0].path`, and in brackets a key that is no
 * identifier: `metadata.annotations[kubearmor-file-posture]`.
 */
export function formatField(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(part))
      text += /^[-\w./]+$/.test(part) ? `[${part}]` : `[${printable(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** The value at a place, or undefined when the way there ends early. */
export function valueAt(root: unknown, path: FieldPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

const maxPrinted = 80;

/** A value as JSON for a message: one line, control characters escaped, cut to 80 characters. */
export function printable(value: unknown): string {
  if (value === undefined) return 'nothing';
  let text: string;
  if (typeof value === 'string') text = value.length > maxPrinted ? value.slice(0, maxPrinted) : value;
  else if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  else if (typeof value === 'object' && value !== null) return 'a map';
  else return String(value);
  // JSON leaves DEL and the C1 controls alone; a terminal does not.
  text = JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return typeof value === 'string' && value.length > maxPrinted ? `${text}…` : text;
}
