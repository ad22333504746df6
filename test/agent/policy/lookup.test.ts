import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcome as outcomes } from '../../../agent/abi.gen.ts';
import { compile } from '../../../agent/policy/compile.ts';
import { judgeSyscall } from '../../../agent/policy/lookup.ts';
import type { RuleSet } from '../../../agent/policy/ruleset.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { accepted, ksp, workload } from './objects.ts';

const numbers = { unlink: 87, rmdir: 84, unlinkat: 263 } as const;
type Call = keyof typeof numbers;

interface Written {
  path: string;
  recursive: boolean;
  syscall: Call;
}

function compiled(rules: readonly Written[]): RuleSet {
  const policy = accepted(
    ksp({ syscalls: { matchPaths: rules.map(({ syscall, ...rule }) => ({ ...rule, syscall: [syscall] })) } }),
  );
  const paths = rules.map(({ path }) => path.replace(/(.)\/$/, '$1'));
  return compile([policy], workload(), defaultSettings, new Map(paths.map((path) => [path, [path]])));
}

const names = (path: string) => path.split('/').filter((name) => name !== '');

/**
 * The same search the slow way, from the rules as written (policy language 11 and 14): every rule is looked at, an exact
 * path beats every directory, the deepest directory beats the others; the numbers of all that tie are the answer.
 */
function search(rules: readonly Written[], syscall: Call, path: string): number[] {
  const wanted = names(path);
  let best = -1;
  let found: number[] = [];
  for (const [i, rule] of rules.entries()) {
    const own = names(rule.path);
    const same = own.length === wanted.length && own.every((name, at) => wanted[at] === name);
    const below = own.length < wanted.length && own.every((name, at) => wanted[at] === name);
    const directory = rule.recursive || rule.path.endsWith('/');
    if (rule.syscall !== syscall || !(same || (below && rule.recursive))) continue;
    const rank = directory ? own.length : 1000;
    if (rank > best) found = [];
    if (rank >= best) found.push(i);
    best = Math.max(best, rank);
  }
  return found;
}

const name = fc.constantFrom('a', 'b', 'cc');
const path = fc.array(name, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
const rule: fc.Arbitrary<Written> = fc
  .record({
    path: fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean()),
    recursive: fc.boolean(),
    syscall: fc.constantFrom<Call>('unlink', 'rmdir'),
  })
  .map(({ path: [parts, slash], ...rest }) => ({ path: `/${parts.join('/')}${slash ? '/' : ''}`, ...rest }));

describe('judgeSyscall()', () => {
  it('finds the rule that a search through all of them finds', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 8 }),
        path,
        fc.constantFrom<Call>('unlink', 'rmdir', 'unlinkat'),
        (rules, object, call) => {
          const answer = judgeSyscall(compiled(rules), numbers[call], object);
          const expected = search(rules, call, object);
          if (expected.length === 0) expect(answer).toBe(outcomes.OUTCOME_NONE);
          else expect(expected).toContain(answer & outcomes.OUTCOME_RULE);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not look at rules without a path, nor at those of other categories', () => {
    const policy = accepted(
      ksp({
        syscalls: { matchSyscalls: [{ syscall: ['unlink'] }] },
        file: { matchPaths: [{ path: '/a', action: 'Block' }] },
      }),
    );
    const ruleSet = compile([policy], workload(), defaultSettings, new Map([['/a', ['/a']]]));
    for (const object of ['/', '/a', '/a/b']) expect(judgeSyscall(ruleSet, 87, object)).toBe(outcomes.OUTCOME_NONE);
  });

  it('answers for the root directory', () => {
    const ruleSet = compiled([{ path: '/', recursive: true, syscall: 'rmdir' }]);
    for (const object of ['/', '/x', '/x/y/z'])
      expect(judgeSyscall(ruleSet, 84, object) & outcomes.OUTCOME_RULE).toBe(0);
  });
});
