import { canonicalCapability } from './capability.ts';
import { printable } from './field.ts';
import { inherit, type Levels } from './inherit.ts';
import { splitList } from './list.ts';
import { collapseSlashes, directoryPath } from './path.ts';
import { normalisePresets } from './presets.ts';
import type { Report } from './report.ts';
import type {
  Category,
  Policy,
  PolicyIdentity,
  Qualifiers,
  Rule,
  RuleObject,
  RuleSource,
  SyscallTarget,
} from './rule.ts';
import type { PolicyObject } from './schema.ts';
import { normaliseSelector } from './selector.ts';
import { hasObject, syscallNames } from './syscall.ts';

/** What the entries of all match lists have in common, whichever of it their category knows. */
interface Entry extends Levels {
  fromSource?:
    | readonly { path?: string | undefined; dir?: string | undefined; recursive?: boolean | undefined }[]
    | undefined;
  readOnly?: boolean | undefined;
  ownerOnly?: boolean | undefined;
  pts?: boolean | undefined;
  allowedArgs?: readonly string[] | undefined;
}

type Where = readonly (string | number)[];

/**
 * Turns a checked object into a policy: values inherited, comma lists split, slashes and letter case settled, one flat
 * list of rules. What is left out or changed on the way is reported; a refusal is reported too and ends in a policy
 * that the caller must not use (`report.refused`).
 */
export function normalise(object: PolicyObject, report: Report): Policy {
  const { kind, metadata, spec } = object;
  const identity: PolicyIdentity & { uid: string } = {
    kind,
    namespace: kind === 'KubeArmorPolicy' ? (metadata.namespace ?? 'default') : '',
    name: metadata.name,
    uid: metadata.uid ?? '',
  };
  const rules: Rule[] = [];

  function add(category: Category, path: Where, ruleObject: RuleObject, entry: Entry, categoryLevels: Levels): void {
    const { action, ...levels } = inherit(entry, categoryLevels, spec);
    const position = report.locate(path);
    rules.push({
      policy: identity,
      category,
      object: ruleObject,
      qualifiers: qualifiersOf(entry),
      fromSource: sources(entry, path),
      action: category === 'syscalls' ? 'Audit' : action,
      ...levels,
      where: report.field(path),
      ...(position && { position }),
    });
  }

  function sources(entry: Entry, path: Where): RuleSource[] {
    return (entry.fromSource ?? []).map((source, index) => {
      const place = [...path, 'fromSource', index];
      if (source.path !== undefined) {
        if (source.recursive !== undefined)
          report.add('UnknownField', [...place, 'recursive'], 'recursive means nothing beside path; ignored');
        return { kind: 'path', path: collapseSlashes(source.path) };
      }
      return {
        kind: 'dir',
        path: directory(source.dir ?? '', [...place, 'dir']),
        recursive: source.recursive ?? false,
      };
    });
  }

  function directory(written: string, path: Where): string {
    if (!written.endsWith('/'))
      report.add('NormalisedValue', path, `found ${printable(written)} without a trailing slash; one was added`);
    return directoryPath(written);
  }

  for (const category of ['process', 'file'] as const) {
    const lists = spec[category];
    const base = ['spec', category];
    lists?.matchPaths?.forEach((entry, i) => {
      const name = 'execname' in entry ? entry.execname : undefined;
      const what: RuleObject =
        name !== undefined ? { kind: 'execname', name } : { kind: 'path', path: collapseSlashes(entry.path ?? '') };
      add(category, [...base, 'matchPaths', i], what, entry, lists);
    });
    lists?.matchDirectories?.forEach((entry, i) => {
      const path = [...base, 'matchDirectories', i];
      const what: RuleObject = {
        kind: 'dir',
        path: directory(entry.dir, [...path, 'dir']),
        recursive: entry.recursive ?? false,
      };
      add(category, path, what, entry, lists);
    });
    lists?.matchPatterns?.forEach((entry, i) => {
      add(
        category,
        [...base, 'matchPatterns', i],
        { kind: 'glob', pattern: collapseSlashes(entry.pattern) },
        entry,
        lists,
      );
    });
  }

  const { network, capabilities, syscalls } = spec;
  network?.matchProtocols?.forEach((entry, i) => {
    for (const protocol of splitList(entry.protocol))
      add(
        'network',
        ['spec', 'network', 'matchProtocols', i],
        { kind: 'protocol', protocol: protocol.toLowerCase() },
        entry,
        network,
      );
  });
  network?.matchDNSQueries?.forEach((entry, i) => {
    for (const domain of splitList(entry.domain))
      add(
        'dns',
        ['spec', 'network', 'matchDNSQueries', i],
        { kind: 'domain', domain: domain.toLowerCase().replace(/\.$/, '') },
        entry,
        network,
      );
  });
  capabilities?.matchCapabilities?.forEach((entry, i) => {
    for (const written of splitList(entry.capability)) {
      const capability = canonicalCapability(written);
      add(
        'capabilities',
        ['spec', 'capabilities', 'matchCapabilities', i],
        { kind: 'capability', capability },
        entry,
        capabilities,
      );
    }
  });

  function syscallRule(entry: Entry & { syscall: readonly string[] }, path: Where, target?: SyscallTarget): void {
    const names = entry.syscall.filter((name, i) => {
      const known = syscallNames.has(name);
      if (!known)
        report.add(
          'UnknownName',
          [...path, 'syscall', i],
          `found ${printable(name)}, which is no system call; left out`,
        );
      else if (target && !hasObject(name))
        report.add(
          'NoPathInCall',
          [...path, 'syscall', i],
          `${name} takes neither a path nor a descriptor and never matches`,
        );
      return known;
    });
    const levels = syscalls ?? {};
    const place =
      entry.action !== undefined
        ? [...path, 'action']
        : levels.action !== undefined
          ? ['spec', 'syscalls', 'action']
          : ['spec', 'syscalls'];
    const action = inherit(entry, levels, spec, 'Audit').action;
    if (action !== 'Audit')
      report.once('ActionIgnored', place, `found ${action}; syscall rules only report, taken as Audit`);
    if (names.length > 0) add('syscalls', path, { kind: 'syscall', names, ...(target && { target }) }, entry, levels);
  }

  syscalls?.matchSyscalls?.forEach((entry, i) => {
    syscallRule(entry, ['spec', 'syscalls', 'matchSyscalls', i]);
  });
  syscalls?.matchPaths?.forEach((entry, i) => {
    const path = directoryPath(entry.path);
    const isDirectory = entry.recursive === true || entry.path.endsWith('/');
    const target: SyscallTarget = isDirectory
      ? { kind: 'dir', path, recursive: entry.recursive ?? false }
      : { kind: 'path', path };
    syscallRule(entry, ['spec', 'syscalls', 'matchPaths', i], target);
  });

  const presets = normalisePresets(object, report);
  if (kind === 'KubeArmorHostPolicy') refuseCutOff(rules, report);
  if (rules.length === 0 && presets.length === 0)
    report.add('NoRules', ['spec'], 'found no rule; the policy does nothing');
  return { ...identity, generation: metadata.generation ?? 0, selector: normaliseSelector(object), rules, presets };
}

function qualifiersOf(entry: Entry): Qualifiers {
  return {
    readOnly: entry.readOnly ?? false,
    ownerOnly: entry.ownerOnly ?? false,
    noTerminal: entry.pts === false,
    ...(entry.allowedArgs && { allowedArgs: entry.allowedArgs }),
  };
}

/** A host rule on all sockets or on a capability of every program, not only audited, would cut the node off. */
function refuseCutOff(rules: readonly Rule[], report: Report): void {
  for (const { category, action, fromSource, where, position } of rules)
    if (
      (category === 'network' || category === 'dns' || category === 'capabilities') &&
      action !== 'Audit' &&
      fromSource.length === 0
    )
      report.refuse(
        where,
        `found action ${action} without fromSource in a host policy; allowed: fromSource, or action Audit`,
        { position },
      );
}
