/** A glob that cannot be parsed; the message is what a pattern must be. */
export class PatternProblem extends Error {}

/** A class such as `[a-z]` or `[!x]`. */
export interface CharacterClass {
  members: Set<number>;
  negated: boolean;
  /** Index behind its `]`. */
  end: number;
}

/**
 * Reads the class that begins at `at`. A `]` that stands first is a member, and so is a `-` that stands first or last; a
 * backslash takes the meaning from the character behind it.
 */
export function readClass(pattern: string, at: number): CharacterClass {
  let i = at + 1;
  const negated = pattern[i] === '!' || pattern[i] === '^';
  if (negated) i++;
  const first = i;
  const members = new Set<number>();
  const member = (): number => {
    if (pattern[i] === '\\') i++;
    const code = pattern.charCodeAt(i++);
    if (Number.isNaN(code)) throw new PatternProblem('a pattern in which every "[" has its "]"');
    if (code > 0x7f) throw new PatternProblem('a pattern whose classes hold single bytes only');
    return code;
  };
  while (i === first || pattern[i] !== ']') {
    const lowest = member();
    let highest = lowest;
    if (pattern[i] === '-' && i + 1 < pattern.length && pattern[i + 1] !== ']') {
      i++;
      highest = member();
      if (highest < lowest) throw new PatternProblem('a pattern whose class ranges run upwards');
    }
    for (let code = lowest; code <= highest; code++) members.add(code);
  }
  return { members, negated, end: i + 1 };
}
