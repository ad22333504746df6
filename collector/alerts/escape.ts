/**
 * What could drive a terminal or hide in a line: C0, DEL and C1 controls, all format characters (bidirectional controls
 * and zero-width ones among them), line and paragraph separators, and halves of surrogate pairs.
 */
const HOSTILE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text that a terminal only shows: hostile characters are written as in JSON, `\u001b`. */
export function escapeText(text: string): string {
  return text.replace(HOSTILE, escapeCharacter);
}

/** The same JSON value, in characters that a terminal only shows. JSON by itself escapes C0 alone. */
export function escapeJson(json: string): string {
  return json.replace(HOSTILE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  let escaped = '';
  for (let i = 0; i < character.length; i++) escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escaped;
}
