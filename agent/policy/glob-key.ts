import { key as keys } from '../abi.gen.ts';
import { ruleError } from './compile-error.ts';
import { globDirectory, respellGlob } from './glob/directory.ts';
import { GlobError } from './glob/error.ts';
import { type GlobGroup, groupGlobs } from './glob/group.ts';
import type { NumberedRule } from './number.ts';
import { categoryNumber, spelt } from './rule-key.ts';
import type { RuleAutomaton } from './ruleset.ts';
import type { SlotTable } from './slot.ts';
import type { Sources } from './source.ts';
import type { Spellings } from './spelling.ts';

/**
 * Adds the rules with patterns: for each fixed leading directory an automaton, to which the directory's key leads, and a key for
 * each combination of patterns that one path can match. Returns the automata. Throws CompileError.
 */
export function addGlobs(
  slots: SlotTable,
  rules: readonly NumberedRule[],
  sources: Sources,
  spellings: Spellings,
): RuleAutomaton[] {
  const automata: RuleAutomaton[] = [];
  for (const name of ['process', 'file'] as const) {
    const category = categoryNumber(name);
    const own = rules.filter((rule) => rule.category === name && rule.object.kind === 'glob');
    /** By bytes and by the rules that these stand for. */
    const known = new Map<string, number>();
    const variants = new Map<string, number>();
    for (const { directory, automaton } of groups(own, spellings)) {
      const { bytes, digest, accepts } = automaton;
      const key = `${digest} ${JSON.stringify(accepts)}`;
      const index = known.get(key) ?? automata.length;
      slots.lead(category, directory, index);
      if (known.has(key)) continue;
      known.set(key, index);
      const variant = variants.get(digest) ?? 0;
      variants.set(digest, variant + 1);
      automata.push({ bytes, digest, variant });
      const byNumber = new Map(own.map((rule) => [rule.number, rule]));
      for (const [accept, numbers] of accepts.entries())
        for (const number of numbers) {
          const rule = byNumber.get(number);
          if (rule === undefined) throw new Error(`an automaton accepts for rule ${number}, which has no pattern`);
          const object = { kind: 'accept', automaton: index, accept } as const;
          slots.add(rule, { category: keys.KEY_GLOB | category, object, match: 'exact' }, sources.of.get(number));
        }
    }
  }
  return automata;
}

function groups(rules: readonly NumberedRule[], spellings: Spellings): GlobGroup[] {
  const patterns = rules.flatMap((rule) => {
    if (rule.object.kind !== 'glob') return [];
    const { pattern } = rule.object;
    return spelt(rule, globDirectory(pattern), spellings).map((directory) => ({
      pattern: respellGlob(pattern, directory),
      id: rule.number,
    }));
  });
  try {
    return groupGlobs(patterns);
  } catch (error) {
    const blamed = error instanceof GlobError && rules.find(({ number }) => error.ids.includes(number));
    if (blamed) throw ruleError(blamed, error.message);
    throw error;
  }
}
