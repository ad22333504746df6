import { printable } from './field.ts';
import { inherit, type Levels } from './inherit.ts';
import { collapseSlashes, directoryPath } from './path.ts';
import type { Report } from './report.ts';
import type { Category, PolicyIdentity, Qualifiers, Rule, RuleObject, RuleSource } from './rule.ts';

/** What the entries of all match lists have in common, whichever of it their category knows. */
export interface Entry extends Levels {
  fromSource?: readonly WrittenSource[] | undefined;
  readOnly?: boolean | undefined;
  ownerOnly?: boolean | undefined;
  pts?: boolean | undefined;
  allowedArgs?: readonly string[] | undefined;
}

interface WrittenSource {
  path?: string | undefined;
  dir?: string | undefined;
  recursive?: boolean | undefined;
}

/** A place inside the object. */
export type Where = readonly (string | number)[];

/** Collects the rules of one policy; inheritance, qualifiers and sources are the same for every category. */
export class RuleList {
  readonly rules: Rule[] = [];
  readonly report: Report;
  readonly #policy: PolicyIdentity & { uid: string };
  readonly #spec: Levels;

  constructor(policy: PolicyIdentity & { uid: string }, spec: Levels, report: Report) {
    this.#policy = policy;
    this.#spec = spec;
    this.report = report;
  }

  /** Adds the rule of one entry; `category` holds the values that stand at the category. */
  add(name: Category, path: Where, object: RuleObject, entry: Entry, category: Levels): void {
    const { action, ...levels } = inherit(entry, category, this.#spec);
    const position = this.report.locate(path);
    this.rules.push({
      policy: this.#policy,
      category: name,
      object,
      qualifiers: qualifiersOf(entry),
      fromSource: (entry.fromSource ?? []).map((source, i) => this.#source(source, [...path, 'fromSource', i])),
      action: name === 'syscalls' ? 'Audit' : action,
      ...levels,
      where: this.report.field(path),
      ...(position && { position }),
    });
  }

  /** A directory without its trailing slash; one that was written without is reported. */
  directory(written: string, path: Where): string {
    if (!written.endsWith('/'))
      this.report.add('NormalisedValue', path, `found ${printable(written)} without a trailing slash; one was added`);
    return directoryPath(written);
  }

  #source({ path, dir, recursive }: WrittenSource, place: Where): RuleSource {
    if (path === undefined)
      return { kind: 'dir', path: this.directory(dir ?? '', [...place, 'dir']), recursive: recursive ?? false };
    if (recursive !== undefined)
      this.report.add('UnknownField', [...place, 'recursive'], 'recursive means nothing beside path; ignored');
    return { kind: 'path', path: collapseSlashes(path) };
  }
}

function qualifiersOf({ readOnly, ownerOnly, pts, allowedArgs }: Entry): Qualifiers {
  return {
    readOnly: readOnly ?? false,
    ownerOnly: ownerOnly ?? false,
    noTerminal: pts === false,
    ...(allowedArgs && { allowedArgs }),
  };
}
