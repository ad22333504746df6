import { type Diagnostic, diagnose, subjectOf } from './diagnostic.ts';
import type { Policy, Rule } from './rule.ts';

/**
 * Directories above the paths of Block rules that no file rule of the policy keeps in place (policy language, section 22):
 * who renames one moves what lies below out of the rule. At most one finding for each directory.
 */
export function renamableDirectories(policy: Policy): Diagnostic[] {
  const { rules } = policy;
  const subject = subjectOf(policy);
  // What an allow-list does not list cannot be renamed.
  if (rules.some(({ category, action }) => category === 'file' && action === 'Allow')) return [];
  const guards = rules.filter(isGuard);
  const told = new Set<string>();
  const found: Diagnostic[] = [];
  for (const rule of rules) {
    const { category, action, object, where, position } = rule;
    if (action !== 'Block' || (category !== 'process' && category !== 'file') || !('path' in object)) continue;
    const loose = above(object.path).filter((path) => !told.has(path) && !guards.some((guard) => keeps(guard, path)));
    if (loose.length === 0) continue;
    for (const path of loose) told.add(path);
    const message = `who renames ${loose.join(' or ')} moves ${object.path} out of the rule; a file rule with action Block on the directory keeps it in place`;
    found.push(diagnose(subject, 'Renamable', where, message, position));
  }
  return found;
}

/** The directories above a path, but the root. */
function above(path: string): string[] {
  const found: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) found.push(path.slice(0, at));
  return found;
}

/** Refuses changes to whoever makes them; to let others read is no way to rename. */
function isGuard({ category, action, qualifiers, fromSource }: Rule): boolean {
  return (
    category === 'file' &&
    action === 'Block' &&
    fromSource.length === 0 &&
    !qualifiers.ownerOnly &&
    !qualifiers.noTerminal
  );
}

function keeps({ object }: Rule, path: string): boolean {
  if (object.kind === 'path') return object.path === path;
  if (object.kind !== 'dir') return false;
  if (object.path === path) return true;
  const inside = path.startsWith(object.path === '/' ? '/' : `${object.path}/`);
  return inside && (object.recursive || above(path)[0] === object.path || (object.path === '/' && !above(path)[0]));
}
