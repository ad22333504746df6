/**
 * Takes a text of `key=value` pairs apart, as `Data` has them, and the `Resource` of a network alert. The capability that
 * follows `lsm=CAPABLE` has no key of its own there and gets `capability`; any other word belongs to the value before
 * it. Values that are empty are left out. Keys begin with a letter, so that none of them means something to JavaScript.
 */
export function takeApart(text: string): Map<string, string> {
  const parts = new Map<string, string>();
  let last: string | undefined;
  for (const word of text.split(' ')) {
    const match = /^([A-Za-z][A-Za-z0-9_]*)=(.*)$/s.exec(word);
    if (match !== null) {
      last = match[1] as string;
      parts.set(last, match[2] as string);
    } else if (last === 'lsm' && parts.get('lsm') === 'CAPABLE' && word.startsWith('CAP_')) {
      last = 'capability';
      parts.set(last, word);
    } else if (last !== undefined) {
      parts.set(last, `${parts.get(last)} ${word}`);
    }
  }
  for (const [key, value] of parts) if (value === '') parts.delete(key);
  return parts;
}

/** `EventData`: the alert's `Data` taken apart, keys with a capital first letter. Undefined when there is no pair in it. */
export function eventData(data: string | undefined): Record<string, string> | undefined {
  if (data === undefined) return undefined;
  const parts = takeApart(data);
  if (parts.size === 0) return undefined;
  const named: Record<string, string> = {};
  for (const [key, value] of parts) named[`${key.charAt(0).toUpperCase()}${key.slice(1)}`] = value;
  return named;
}
