import { collapseSlashes } from './path.ts';
import type { RuleObject } from './rule.ts';
import type { RuleList } from './rule-list.ts';
import type { PolicyObject } from './schema.ts';

/** The rules of `spec.process` and `spec.file`. */
export function addPathRules(spec: PolicyObject['spec'], list: RuleList): void {
  for (const name of ['process', 'file'] as const) {
    const category = spec[name];
    for (const [i, entry] of category?.matchPaths?.entries() ?? []) {
      const execname = 'execname' in entry ? entry.execname : undefined;
      const object: RuleObject =
        execname !== undefined
          ? { kind: 'execname', name: execname }
          : { kind: 'path', path: collapseSlashes(entry.path ?? '') };
      list.add(name, ['spec', name, 'matchPaths', i], object, entry, category ?? {});
    }
    for (const [i, entry] of category?.matchDirectories?.entries() ?? []) {
      const where = ['spec', name, 'matchDirectories', i];
      const path = list.directory(entry.dir, [...where, 'dir']);
      list.add(name, where, { kind: 'dir', path, recursive: entry.recursive ?? false }, entry, category ?? {});
    }
    for (const [i, entry] of category?.matchPatterns?.entries() ?? []) {
      const object: RuleObject = { kind: 'glob', pattern: collapseSlashes(entry.pattern) };
      list.add(name, ['spec', name, 'matchPatterns', i], object, entry, category ?? {});
    }
  }
}
