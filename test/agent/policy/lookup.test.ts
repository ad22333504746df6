import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcome as outcomes } from '../../../agent/abi.gen.ts';
import { compile } from '../../../agent/policy/compile.ts';
import { judgeSyscall, namesOf } from '../../../agent/policy/lookup.ts';
import type { RuleNames } from '../../../agent/policy/ruleset.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import { rulePaths } from '../../../agent/policy/spelling.ts';
import { accepted, ksp, workload } from './objects.ts';
import { decide, type WrittenPolicy } from './reference.ts';

const numbers = { unlink: 87, rmdir: 84, unlinkat: 263 } as const;
type Call = keyof typeof numbers;

function names(spec: object): RuleNames {
  const policy = accepted(ksp(spec));
  const paths = policy.rules.flatMap(rulePaths);
  return namesOf(compile([policy], workload(), defaultSettings, new Map(paths.map((path) => [path, [path]]))));
}

/** The rule that is named. */
function named(set: RuleNames, call: Call, path: string, program: string | undefined): string | undefined {
  const { outcome } = judgeSyscall(set, numbers[call], [path], program);
  return outcome === outcomes.OUTCOME_NONE ? undefined : set.rules[outcome & outcomes.OUTCOME_RULE]?.path;
}

const name = fc.constantFrom('a', 'b', 'cc');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const slash = fc.constantFrom('', '/');
const syscall = fc.constantFrom<Call>('unlink', 'rmdir').map((call) => [call]);
const source = fc.oneof(
  path.map((one) => ({ path: one })),
  fc.tuple(path, fc.boolean()).map(([dir, recursive]) => ({ dir: `${dir}/`, recursive })),
);
const fromSource = fc.array(source, { maxLength: 2 });
const spec = fc.record({
  syscalls: fc.record({
    matchSyscalls: fc.array(fc.record({ syscall, fromSource }), { maxLength: 2 }),
    matchPaths: fc.array(
      fc.record({
        path: fc.tuple(path, slash).map((parts) => parts.join('')),
        recursive: fc.boolean(),
        syscall,
        fromSource,
      }),
      { minLength: 1, maxLength: 8 },
    ),
  }),
});

describe('judgeSyscall()', () => {
  it('names the rule that the language names', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(spec, path, path, fc.constantFrom<Call>('unlink', 'rmdir', 'unlinkat'), (rules, object, by, call) => {
        const world = {
          policies: [ksp(rules)] as unknown as WrittenPolicy[],
          ...{ filePosture: 'block' as const, baseline: false, audited: false, disabled: false },
          spellings: (one: string) => [one],
        };
        const access = { category: 'syscalls' as const, change: false, owner: true, terminal: false };
        const decision = decide(world, { ...access, path: object, syscall: call, source: by });
        const answer = named(names(rules), call, object, by);
        expect(answer && `p ${answer}`).toBe(decision.by);
        seen.add(String(decision.by).replace(/\d/, ''));
      }),
      { numRuns: 1000 },
    );
    expect([...seen].sort()).toEqual(['p spec.syscalls.matchPaths[]', 'p spec.syscalls.matchSyscalls[]', 'undefined']);
  });

  it('of two paths takes the one with the more specific rule, of equals the first', () => {
    const set = names({
      syscalls: {
        matchPaths: [
          { path: '/a/', recursive: true, syscall: ['unlink'] },
          { path: '/a/b/', recursive: true, syscall: ['unlink'] },
          { path: '/x', syscall: ['unlink'] },
        ],
        matchSyscalls: [{ syscall: ['unlink', 'rmdir'] }],
      },
    });
    const taken = (...paths: string[]): string => judgeSyscall(set, numbers.unlink, paths, undefined).path;
    expect(taken('/a/c', '/a/b/c')).toBe('/a/b/c');
    expect(taken('/a/b/c', '/x')).toBe('/x');
    expect(taken('/q', '/a')).toBe('/a');
    expect(taken('/a/1', '/a/2')).toBe('/a/1');
    expect(taken('/q', '/r')).toBe('/q');
    expect(taken('', '/a')).toBe('/a');
    expect(judgeSyscall(set, numbers.rmdir, [], undefined)).toMatchObject({ path: '' });
  });

  it('knows no source of a program that is not known: rules with fromSource do not match', () => {
    const set = names({
      syscalls: {
        matchPaths: [{ path: '/a', syscall: ['unlink'], fromSource: [{ dir: '/', recursive: true }] }],
        matchSyscalls: [{ syscall: ['unlink'] }],
      },
    });
    expect(named(set, 'unlink', '/a', '/bin/rm')).toBe('spec.syscalls.matchPaths[0]');
    for (const program of [undefined, '', 'memfd:x'])
      expect(named(set, 'unlink', '/a', program)).toBe('spec.syscalls.matchSyscalls[0]');
  });

  it('does not look at rules of other categories', () => {
    const set = names({ file: { matchPaths: [{ path: '/a', action: 'Block' }] } });
    for (const object of ['/', '/a', '/a/b']) expect(named(set, 'unlink', object, '/a')).toBeUndefined();
  });

  it('answers for the root directory', () => {
    const set = names({ syscalls: { matchPaths: [{ path: '/', recursive: true, syscall: ['rmdir'] }] } });
    for (const object of ['/', '/x', '/x/y/z'])
      expect(named(set, 'rmdir', object, undefined)).toBe('spec.syscalls.matchPaths[0]');
  });
});
