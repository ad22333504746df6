import { preset as presets } from '../abi.gen.ts';

/** Presets of the language by name: `enum picket_preset`, and the category whose hooks judge it. */
const known = {
  filelessExec: { number: presets.PRESET_FILELESS, category: 'process' },
  anonymousMapExec: { number: presets.PRESET_ANONYMOUS_MAP, category: 'file' },
  protectEnv: { number: presets.PRESET_PROTECT_ENV, category: 'file' },
  protectProc: { number: presets.PRESET_PROTECT_PROC, category: 'file' },
  exec: { number: presets.PRESET_EXEC, category: 'process' },
} as const;
export type PresetName = keyof typeof known;

export const presetNames: ReadonlySet<string> = new Set(Object.keys(known));

export function isPreset(name: string): name is PresetName {
  return presetNames.has(name);
}

export function presetNumber(name: PresetName): number {
  return known[name].number;
}

export function presetCategory(name: PresetName): 'process' | 'file' {
  return known[name].category;
}
