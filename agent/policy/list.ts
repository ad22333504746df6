/** Splits a string of values separated by commas; blanks around a value do not count. */
export function splitList(text: string): string[] {
  return text.split(',').map((value) => value.trim());
}
