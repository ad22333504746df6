/**
 * `EventData`: the alert's `Data` taken apart. `key=value` becomes a key with a capital first letter; the capability
 * that follows `lsm=CAPABLE` has no key of its own there and becomes `Capability`; any other word belongs to the value
 * before it. Undefined when nothing can be taken apart.
 */
export function eventData(data: string | undefined): Record<string, string> | undefined {
  if (data === undefined || data === '') return undefined;
  const parts: Record<string, string> = {};
  let last: string | undefined;
  for (const word of data.split(' ')) {
    const match = /^([A-Za-z][A-Za-z0-9_]*)=(.*)$/s.exec(word);
    if (match !== null) {
      const key = match[1] as string;
      last = `${key.charAt(0).toUpperCase()}${key.slice(1)}`;
      parts[last] = match[2] as string;
    } else if (parts.Lsm === 'CAPABLE' && last === 'Lsm' && word.startsWith('CAP_')) {
      last = 'Capability';
      parts[last] = word;
    } else if (last !== undefined) {
      parts[last] = `${parts[last]} ${word}`;
    }
  }
  for (const [key, value] of Object.entries(parts)) if (value === '') delete parts[key];
  return Object.keys(parts).length === 0 ? undefined : parts;
}
