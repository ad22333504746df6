import { key as keys, limits } from '../abi.gen.ts';
import { ruleError } from './compile-error.ts';
import type { NumberedRule } from './number.ts';
import { spelt } from './rule-key.ts';
import type { RuleEntry } from './ruleset.ts';
import type { Spellings } from './spelling.ts';

/** In which way a program is a source: it is the one at this path, lies directly in it, or further below. */
type Part = 'exact' | 'near' | 'deep';
const parts = ['exact', 'near', 'deep'] as const satisfies Part[];

/** A path that rules name as a source: by part, the rules that name it. */
type Place = Partial<Record<Part, NumberedRule[]>>;

/** The sources of a rule set. Those that the same rules name have one number; numbers begin at 1. */
export interface Sources {
  /** By rule number: the numbers under which a rule with fromSource is found. */
  of: ReadonlyMap<number, readonly number[]>;
  /** How the kernel finds the numbers of a program. */
  entries: RuleEntry[];
}

/**
 * Numbers the sources that the rules name, in all their spellings.
 *
 * @throws CompileError when one program could be more of them than the kernel side keeps for a task
 */
export function numberSources(rules: readonly NumberedRule[], spellings: Spellings): Sources {
  const places = new Map<string, Place>();
  for (const rule of rules)
    for (const source of rule.fromSource)
      for (const path of spelt(rule, source.path, spellings)) {
        const place = places.get(path) ?? {};
        places.set(path, place);
        if (source.kind === 'path') name(place, 'exact', rule);
        else {
          name(place, 'near', rule);
          if (source.recursive) name(place, 'deep', rule);
        }
      }
  refuseTooMany(places);

  const numbers = new Map<string, number>();
  const of = new Map<number, number[]>();
  const entries = [...places].map(([path, place]): RuleEntry => {
    const outcomes = { exact: nothing, near: nothing, deep: nothing };
    for (const part of parts) {
      const named = place[part];
      if (named === undefined) continue;
      const key = named.map(({ number }) => number).join();
      const number = numbers.get(key) ?? numbers.size + 1;
      if (!numbers.has(key)) {
        numbers.set(key, number);
        for (const rule of named) {
          const own = of.get(rule.number);
          if (own === undefined) of.set(rule.number, [number]);
          else own.push(number);
        }
      }
      outcomes[part] = [number, ...nothing.slice(1)];
    }
    return { object: { kind: 'path', path }, category: keys.KEY_SOURCE, source: 0, ...outcomes, flags: 0, list: 0 };
  });
  return { of, entries };
}

const nothing: readonly number[] = new Array(8).fill(0);

/** Once, however often the rule names the place. */
function name(place: Place, part: Part, rule: NumberedRule): void {
  const rules = place[part];
  if (rules === undefined) place[part] = [rule];
  else if (rules.at(-1) !== rule) rules.push(rule);
}

/** A program is itself, one in its directory, and one below those further up: counts the most that can be met on one way. */
function refuseTooMany(places: ReadonlyMap<string, Place>): void {
  /** The directories above, outermost first; `below`: sources that a program two and more levels below is. */
  const above: { prefix: string; place: Place; below: number; outside: number }[] = [];
  const sorted = [...places].map(([path, place]) => ({ prefix: path === '/' ? '/' : `${path}/`, place }));
  // What begins alike stands together, the shorter first.
  sorted.sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
  for (const { prefix, place } of sorted) {
    while (above.length > 0 && !prefix.startsWith(above.at(-1)?.prefix ?? '')) above.pop();
    const outer = above.at(-1);
    const outside = outer?.below ?? 0;
    const isDirectlyIn = outer && prefix.indexOf('/', outer.prefix.length) === prefix.length - 1;
    const asProgram = (isDirectlyIn ? outer.outside + (outer.place.near ? 1 : 0) : outside) + (place.exact ? 1 : 0);
    const inside = outside + (place.near ? 1 : 0);
    if (Math.max(asProgram, inside) > limits.MAX_SOURCES) {
      const [rule] = place.exact ?? place.near ?? [];
      if (rule)
        throw ruleError(
          rule,
          `the sources of the rules are nested too deep: one program could be more than ${limits.MAX_SOURCES} of them`,
        );
    }
    above.push({ prefix, place, below: outside + (place.deep ? 1 : 0), outside });
  }
}
