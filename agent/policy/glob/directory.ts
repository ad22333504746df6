/** A pattern, cut behind the last slash before its first glob character. */
interface Split {
  /** What stands before that slash, backslashes taken away; empty for the root. */
  directory: string;
  /** What stands behind it, as written; undefined: the pattern has no such slash at its beginning. */
  rest: string | undefined;
}

function split(pattern: string): Split {
  let literal = '';
  let directory = '';
  let rest: string | undefined;
  for (let i = 0; i < pattern.length && !'*?[{'.includes(pattern[i] as string); i++) {
    if (pattern[i] === '\\') i++;
    const character = pattern[i] ?? '';
    if (character === '/' && (literal === '' || literal.startsWith('/'))) {
      directory = literal;
      rest = pattern.slice(i + 1);
    }
    literal += character;
  }
  return { directory, rest };
}

/**
 * The fixed leading directory of a pattern, without trailing slash: everything that the pattern matches lies below it. `/` for
 * `/a*`, and for a pattern without one, such as a double star at its beginning. Braces count as glob characters here; expand
 * them before when their alternatives are to have directories of their own.
 */
export function globDirectory(pattern: string): string {
  return split(pattern).directory || '/';
}

/** The pattern with another fixed leading directory, such as the one to which links lead; `directory` is no pattern. */
export function respellGlob(pattern: string, directory: string): string {
  const { rest } = split(pattern);
  if (rest === undefined) return pattern;
  const escaped = directory.replace(/[\\*?[\]{},]/g, '\\$&');
  return `${directory === '/' ? '' : escaped}/${rest}`;
}
