/** Presets of the language, by name. */
export const presetNames: ReadonlySet<string> = new Set([
  'filelessExec',
  'anonymousMapExec',
  'protectEnv',
  'protectProc',
  'exec',
]);
