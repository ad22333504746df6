import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../agent/policy/compile.ts';
import { encode } from '../../../agent/policy/encode.ts';
import { randomHashKey } from '../../../agent/policy/hash.ts';
import { settingsSchema } from '../../../agent/policy/settings.ts';
import { rulePaths } from '../../../agent/policy/spelling.ts';
import { KernelRuleSet } from './kernel.ts';
import { understood, workload } from './objects.ts';
import { type Access, decide, type World, type WrittenPolicy } from './reference.ts';
import { propertySeed } from './seed.ts';

const known = [
  '/lib',
  '/usr/lib',
  '/dev/null',
  '/dev/urandom',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf.d',
  '/usr/lib/a',
  '/lib/a/b',
];
const name = fc.constantFrom('a', 'b', 'c');
const path = fc.oneof(
  { weight: 6, arbitrary: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`) },
  { weight: 1, arbitrary: fc.constantFrom(...known) },
);
const anyPath = fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant('/') });
const withSlash = (text: string) => (text === '/' ? text : `${text}/`);

const flag = fc.constantFrom(undefined, true, false);
const action = fc.constantFrom(undefined, 'Allow', 'audit', 'Block', 'BLOCK', 'allow');
const severity = fc.constantFrom(undefined, 1, 5, 5, 9);
const levels = { action, severity };
const qualifiers = { ownerOnly: flag, pts: flag };
const syscall = fc.subarray(['unlink', 'unlinkat', 'rmdir'], { minLength: 1 });

/** An object without the keys whose value is undefined. */
function record<T extends Record<string, fc.Arbitrary<unknown>>>(model: T): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .record(model)
    .map((value) => Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)));
}

const source = fc.oneof(record({ path }), record({ dir: anyPath.map(withSlash), recursive: flag }));
const sources = { fromSource: fc.option(fc.array(source, { maxLength: 3 }), { nil: undefined, freq: 2 }) };
const pattern = fc
  .tuple(
    fc.constantFrom('/', '/a/', '/a/b/', '/**/', '/lib/'),
    fc.constantFrom('*', 'a*', '**', '?', '[ab]', '{a,b/c}', '*/c', '**/b'),
  )
  .map((parts) => parts.join(''));
const argument = fc.constantFrom('-a', '-b', 'seven c', 'an argument of many bytes');
const allowedArgs = fc.option(fc.array(argument, { maxLength: 3 }), { nil: undefined, freq: 2 });
const list = (entry: fc.Arbitrary<unknown>) => fc.array(entry, { maxLength: 4 });
const spec = record({
  ...levels,
  process: record({
    ...levels,
    matchPaths: list(
      fc.oneof(
        { weight: 3, arbitrary: record({ path, allowedArgs, ...qualifiers, ...sources, ...levels }) },
        { weight: 1, arbitrary: record({ execname: name, allowedArgs, ...qualifiers, ...sources, ...levels }) },
      ),
    ),
    matchDirectories: list(
      record({ dir: anyPath.map(withSlash), recursive: flag, ...qualifiers, ...sources, ...levels }),
    ),
  }),
  file: record({
    ...levels,
    matchPaths: list(record({ path, readOnly: flag, ...qualifiers, ...sources, ...levels })),
    matchDirectories: list(
      record({ dir: anyPath.map(withSlash), recursive: flag, readOnly: flag, ...qualifiers, ...sources, ...levels }),
    ),
    matchPatterns: list(record({ pattern, readOnly: flag, ...qualifiers, ...sources, ...levels })),
  }),
  syscalls: record({
    ...levels,
    matchSyscalls: list(record({ syscall, ...sources, ...levels })),
    matchPaths: list(
      record({ path: fc.oneof(path, anyPath.map(withSlash)), recursive: flag, syscall, ...sources, ...levels }),
    ),
  }),
});
const policy = fc.oneof(
  fc.record({
    metadata: fc.record({ name: fc.constantFrom('p', 'q', 'r'), namespace: fc.constant('demo') }),
    spec,
    kind: fc.constant('KubeArmorPolicy'),
  }),
  fc.record({
    metadata: fc.record({ name: fc.constantFrom('p', 'q', 'r') }),
    spec,
    kind: fc.constant('KubeArmorClusterPolicy'),
  }),
);
const policies = fc.uniqueArray(policy, { maxLength: 4, selector: ({ kind, metadata }) => `${kind} ${metadata.name}` });

const access: fc.Arbitrary<Access> = fc
  .record({
    category: fc.constantFrom('process' as const, 'file' as const, 'syscalls' as const),
    path: anyPath,
    syscall: fc.constantFrom('unlink', 'unlinkat', 'rmdir'),
    change: fc.boolean(),
    write: fc.boolean(),
    owner: fc.boolean(),
    terminal: fc.boolean(),
    source: path,
    args: fc.option(fc.array(argument, { maxLength: 3 }), { nil: undefined, freq: 8 }),
  })
  .map(({ syscall: call, ...rest }) => ({
    ...rest,
    change: rest.change && rest.category !== 'process',
    ...(rest.category === 'syscalls' && { syscall: call }),
  }));

/** Each written path has its own further spellings, as if links led there. */
const links = fc.array(fc.tuple(path, path), { maxLength: 4 }).map((pairs) => new Map(pairs));
const world = fc.record({
  filePosture: fc.constantFrom('block' as const, 'audit' as const),
  baseline: fc.boolean(),
  audited: fc.constantFrom(false, false, true),
  disabled: fc.constantFrom(false, false, false, false, true),
});

describe('compile() and encode()', () => {
  it('give the kernel what the language says, for random policies, links, postures and accesses', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(
        policies,
        links,
        world,
        fc.array(access, { minLength: 10, maxLength: 40 }),
        (written, aliases, facts, accesses) => {
          const objects = written.map((object) => ({ apiVersion: 'security.kubearmor.com/v1', ...object }));
          const spellings = (one: string): string[] => [...new Set([one, aliases.get(one) ?? one])];
          const settings = settingsSchema.parse({
            defaultFilePosture: facts.filePosture,
            fileBaseline: facts.baseline ? 'on' : 'off',
          });
          const annotations: Record<string, string> = facts.disabled
            ? { 'kubearmor-policy': 'disabled' }
            : facts.audited
              ? { 'kubearmor-policy': 'audited' }
              : {};
          const read = objects.map(understood);
          const paths = read.flatMap(({ rules }) => rules.flatMap(rulePaths));
          const key = randomHashKey();
          const ruleSet = compile(
            read,
            workload({ annotations }),
            settings,
            new Map(paths.map((one) => [one, spellings(one)])),
          );
          const kernel = new KernelRuleSet(encode(ruleSet, key), key);
          const reference: World = { ...facts, policies: objects as WrittenPolicy[], spellings };
          for (const one of accesses) {
            const expected = decide(reference, one);
            const what = `${one.category} ${expected.verdict} ${expected.by === 'DefaultPosture' ? expected.by : expected.by === undefined ? '' : 'rule'}`;
            seen.set(what, (seen.get(what) ?? 0) + 1);
            expect(kernel.decide(one), JSON.stringify(one)).toEqual(expected);
          }
        },
      ),
      { seed: propertySeed('compile'), numRuns: Number(process.env.PICKET_RUNS ?? 800) },
    );
    // The generator reaches every kind of decision.
    for (const category of ['process', 'file'])
      for (const what of ['pass ', 'alert rule', 'alert DefaultPosture', 'deny rule', 'deny DefaultPosture'])
        expect(seen.get(`${category} ${what}`) ?? 0, `${category} ${what}`).toBeGreaterThan(20);
    expect(seen.get('syscalls alert rule') ?? 0).toBeGreaterThan(20);
  });

  it('do not depend on the order of policies', () => {
    fc.assert(
      fc.property(policies, fc.infiniteStream(fc.nat()), (written, random) => {
        const read = written.map((object) => understood({ apiVersion: 'security.kubearmor.com/v1', ...object }));
        const paths = read.flatMap(({ rules }) => rules.flatMap(rulePaths));
        const spellings = new Map(paths.map((one) => [one, [one]]));
        const key = randomHashKey();
        const shuffled = read
          .map((one) => ({ one, at: random.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        const settings = settingsSchema.parse({});
        expect(encode(compile(shuffled, workload(), settings, spellings), key)).toEqual(
          encode(compile(read, workload(), settings, spellings), key),
        );
      }),
      { seed: propertySeed('order'), numRuns: 200 },
    );
  });
});
