import { category as categories, key as keys, protocol as protocols } from '../abi.gen.ts';
import { capabilityNumber } from './capability.ts';
import { ruleError } from './compile-error.ts';
import { maxDepth } from './coverage.ts';
import { depthOf } from './path.ts';
import type { Category, Rule } from './rule.ts';
import type { EntryObject } from './ruleset.ts';
import type { Spellings } from './spelling.ts';
import { syscallNumber } from './syscall.ts';

/** How a rule matches what its key stands for. */
export type Match =
  /** The object itself. */
  | 'exact'
  /** A directory and what lies directly in it. */
  | 'level'
  /** A directory and everything below it. */
  | 'tree'
  /** A directory alone, ranked as a directory (system calls). */
  | 'self'
  /** A domain and all below it: every depth is the object itself. */
  | 'domain';

/** A key under which a rule is found. */
export interface RuleKey {
  category: number;
  object: EntryObject;
  match: Match;
}

const numbers: Readonly<Record<Category, number>> = {
  process: categories.CATEGORY_PROCESS,
  file: categories.CATEGORY_FILE,
  network: categories.CATEGORY_NETWORK,
  dns: categories.CATEGORY_DNS,
  capabilities: categories.CATEGORY_CAPABILITY,
  syscalls: categories.CATEGORY_SYSCALL,
};

/** `enum picket_category` */
export function categoryNumber(category: Category): number {
  return numbers[category];
}

/** All keys of a rule, but those of a glob: under each spelling of its path, and for each system call that it names. */
export function ruleKeys(rule: Rule, spellings: Spellings): RuleKey[] {
  const { object } = rule;
  const category = categoryNumber(rule.category);
  switch (object.kind) {
    case 'path':
      return pathKeys(rule, category, object.path, 'exact', spellings);
    case 'dir':
      return pathKeys(rule, category, object.path, object.recursive ? 'tree' : 'level', spellings);
    case 'execname':
      return [{ category: keys.KEY_EXECNAME, object: { kind: 'name', name: object.name }, match: 'exact' }];
    case 'protocol':
      return [numberKey(category, protocolNumber(object.protocol))];
    case 'capability':
      return [numberKey(category, capabilityNumber(object.capability) + 1)];
    case 'domain':
      return [{ category, object: { kind: 'path', path: domainPath(object.domain) }, match: 'domain' }];
    case 'syscall':
      return object.names.flatMap((name) => {
        const number = syscallNumber(name);
        if (number === undefined) throw new Error(`the system call ${name} has no number`);
        const own = category | (number << keys.KEY_DETAIL);
        if (object.target === undefined) return [numberKey(own, 0)];
        const { path, kind } = object.target;
        const match = kind === 'path' ? 'exact' : object.target.recursive ? 'tree' : 'self';
        return pathKeys(rule, own, path, match, spellings);
      });
    case 'glob':
      return [];
  }
}

function pathKeys(rule: Rule, category: number, path: string, match: Match, spellings: Spellings): RuleKey[] {
  return spelt(rule, path, spellings).map((spelling) => ({
    category,
    object: { kind: 'path', path: spelling },
    match,
  }));
}

/** All spellings of a path of the rule. */
export function spelt(rule: Rule, path: string, spellings: Spellings): readonly string[] {
  const paths = spellings.get(path);
  if (paths === undefined) throw new Error(`the spellings of ${path} are not known`);
  if (paths.some((spelling) => depthOf(spelling) > maxDepth))
    throw ruleError(rule, `${path} resolves to a path of more than ${maxDepth} components`);
  return paths;
}

function numberKey(category: number, number: number): RuleKey {
  return { category, object: { kind: 'number', number }, match: 'exact' };
}

/** `enum picket_protocol` */
function protocolNumber(name: string): number {
  const number = Object.entries(protocols).find(([key]) => key === `PROTOCOL_${name.toUpperCase()}`)?.[1];
  if (number === undefined) throw new Error(`the protocol ${name} has no number`);
  return number;
}

/** `www.example.org` → `/org/example/www`: what is below a domain is below its path. */
export function domainPath(domain: string): string {
  return `/${domain.split('.').reverse().join('/')}`;
}
