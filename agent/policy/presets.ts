import { printable } from './field.ts';
import { canonicalAction, inherit } from './inherit.ts';
import { isPreset, presetNames } from './preset.ts';
import type { Report } from './report.ts';
import type { PresetRule } from './rule.ts';
import type { PolicyObject } from './schema.ts';

/** The presets of a policy; unknown names and the action Allow are reported and left out. */
export function normalisePresets(object: PolicyObject, report: Report): PresetRule[] {
  if (object.kind === 'KubeArmorHostPolicy') return [];
  const presets: PresetRule[] = [];
  object.spec.presets?.forEach((entry, i) => {
    const path = ['spec', 'presets', i];
    const { name } = entry;
    if (!isPreset(name)) {
      report.add(
        'UnknownName',
        [...path, 'name'],
        `found ${printable(name)}; allowed: ${[...presetNames].join(', ')}; left out`,
      );
      return;
    }
    const action = canonicalAction(entry.action ?? 'Block');
    if (action === 'Allow') {
      report.add('InvalidValue', [...path, 'action'], 'found Allow; allowed: Audit, Block; the preset is left out');
      return;
    }
    const { severity, tags, message } = inherit(entry, {}, object.spec);
    const position = report.locate(path);
    presets.push({
      name,
      action,
      severity,
      tags,
      message,
      where: report.field(path),
      ...(position && { position }),
    });
  });
  return presets;
}
