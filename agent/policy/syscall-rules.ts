import { printable } from './field.ts';
import { inherit } from './inherit.ts';
import { directoryPath } from './path.ts';
import type { SyscallTarget } from './rule.ts';
import type { Entry, RuleList, Where } from './rule-list.ts';
import type { PolicyObject } from './schema.ts';
import { findSyscall, hasObject } from './syscall.ts';

type Spec = PolicyObject['spec'];
type SyscallEntry = Entry & { syscall: readonly string[] };

/** The rules of `spec.syscalls`; unknown names are left out and reported, an action other than Audit is reported. */
export function addSyscallRules(spec: Spec, list: RuleList): void {
  const { syscalls } = spec;
  for (const [i, entry] of syscalls?.matchSyscalls?.entries() ?? [])
    addRule(spec, list, entry, ['spec', 'syscalls', 'matchSyscalls', i]);
  for (const [i, entry] of syscalls?.matchPaths?.entries() ?? []) {
    const recursive = entry.recursive ?? false;
    const path = directoryPath(entry.path);
    const target: SyscallTarget =
      recursive || entry.path.endsWith('/') ? { kind: 'dir', path, recursive } : { kind: 'path', path };
    addRule(spec, list, entry, ['spec', 'syscalls', 'matchPaths', i], target);
  }
}

function addRule(spec: Spec, list: RuleList, entry: SyscallEntry, where: Where, target?: SyscallTarget): void {
  reportAction(spec, list, entry, where);
  const names = entry.syscall.filter((name, i) => {
    const place = [...where, 'syscall', i];
    const call = findSyscall(name);
    if (call === undefined) {
      list.report.add('UnknownName', place, `found ${printable(name)}, which is no system call; left out`);
      return false;
    }
    if (!call.exists)
      list.report.add('SyscallNotHere', place, `${name} has a number and does nothing; it never matches`);
    else if (target && !hasObject(call))
      list.report.add('NoPathInCall', place, `${name} takes neither a path nor a descriptor and never matches`);
    return true;
  });
  if (names.length > 0)
    list.add('syscalls', where, { kind: 'syscall', names, ...(target && { target }) }, entry, spec.syscalls ?? {});
}

/** An inherited action is reported once, where it meets the syscall rules; nothing when nobody wrote one. */
function reportAction(spec: Spec, list: RuleList, entry: Entry, where: Where): void {
  const category = spec.syscalls ?? {};
  const { action } = inherit(entry, category, spec, 'Audit');
  if (action === 'Audit') return;
  const inherited = category.action !== undefined ? ['spec', 'syscalls', 'action'] : ['spec', 'syscalls'];
  const field = entry.action !== undefined ? [...where, 'action'] : inherited;
  list.report.once('ActionIgnored', field, `found ${action}; syscall rules only report, taken as Audit`);
}
