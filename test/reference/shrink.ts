import type { Round } from './round.ts';
import { lists, type WrittenPolicy } from './written.ts';

/**
 * The smallest round found that still fails: fewer operations, then fewer policies, fewer rules, fewer things in the world.
 * `fails` puts a round on the stage; it is asked at most `tries` times.
 */
export async function shrink(round: Round, fails: (round: Round) => Promise<boolean>, tries = 150): Promise<Round> {
  let best = round;
  let left = tries;
  const attempt = async (candidate: Round): Promise<boolean> => {
    if (left-- <= 0 || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  const without = async <T>(list: () => readonly T[], replaced: (rest: T[]) => Round): Promise<void> => {
    for (let size = Math.ceil(list().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < list().length && left > 0; ) {
        const rest = [...list().slice(0, at), ...list().slice(at + size)];
        if (!(await attempt(replaced(rest)))) at += size;
      }
  };

  await without(
    () => best.operations,
    (operations) => ({ ...best, operations }),
  );
  await without(
    () => best.policies,
    (policies) => ({ ...best, policies }),
  );
  for (let index = 0; index < best.policies.length; index++)
    await without(
      () => rulesOf(best.policies[index] as WrittenPolicy),
      (rules) => ({
        ...best,
        policies: best.policies.with(index, withRules(best.policies[index] as WrittenPolicy, rules)),
      }),
    );
  await without(
    () => best.addition.mounts,
    (mounts) => ({ ...best, addition: { ...best.addition, mounts } }),
  );
  await without(
    () => best.addition.entries,
    (entries) => ({ ...best, addition: { ...best.addition, entries } }),
  );
  return best;
}

const inSpec = { ...lists, network: [...lists.network, ...lists.dns] };
const categories = ['process', 'file', 'network', 'capabilities', 'syscalls'] as const;
type Place = { category: (typeof categories)[number]; list: string; index: number };

function rulesOf({ spec }: WrittenPolicy): Place[] {
  return categories.flatMap((category) =>
    inSpec[category].flatMap((list) => (spec[category]?.[list] ?? []).map((_, index) => ({ category, list, index }))),
  );
}

function withRules(policy: WrittenPolicy, kept: readonly Place[]): WrittenPolicy {
  const spec = { ...policy.spec };
  for (const category of categories) {
    const levels = spec[category];
    if (!levels) continue;
    const changed = { ...levels };
    for (const list of inSpec[category]) {
      const rules = (levels[list] ?? []).filter((_, index) =>
        kept.some((place) => place.category === category && place.list === list && place.index === index),
      );
      if (rules.length > 0) changed[list] = rules;
      else delete changed[list];
    }
    if (inSpec[category].some((list) => changed[list])) spec[category] = changed;
    else delete spec[category];
  }
  return { ...policy, spec };
}
