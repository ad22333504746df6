import { describe, expect, it } from 'vitest';
import { compile } from '../../../agent/policy/compile.ts';
import { settingsSchema } from '../../../agent/policy/settings.ts';
import { rulePaths } from '../../../agent/policy/spelling.ts';
import { noOutcomes } from '../../../agent/policy/verdict.ts';
import { csp, ksp, understood, workload } from './objects.ts';

function compiled(objects: Record<string, unknown>[], settings = {}) {
  const policies = objects.map(understood);
  const paths = policies.flatMap(({ rules }) => rules.flatMap(rulePaths));
  return compile(policies, workload(), settingsSchema.parse(settings), new Map(paths.map((path) => [path, [path]])));
}

/** Number, category and source of the keys, and what they say of an access in which no qualifier holds. */
const keysOf = (spec: object) =>
  compiled([ksp(spec)]).entries.map(({ object, category, source, exact }) => [
    object.kind === 'number' ? object.number : object.kind === 'path' ? object.path : object,
    category,
    source,
    exact[0],
  ]);

const [none, alert, deny] = [0x3fffffff, 0x80000000, 0xc0000000];

describe('the keys of rules without a path', () => {
  it('protocols by their number', () => {
    const protocols = 'all,raw,stream,dgram,rdm,seqpacket,dccp,tcp,udp,icmp,icmpv6,sctp,packet';
    const { entries, judged, flags } = compiled([
      ksp({ action: 'Audit', network: { matchProtocols: [{ protocol: protocols }] } }),
    ]);
    expect(entries.map(({ object }) => object)).toEqual(
      [...new Array(13).keys()].map((i) => ({ kind: 'number', number: i + 1 })),
    );
    expect(new Set(entries.map(({ category }) => category))).toEqual(new Set([2]));
    expect([judged, flags]).toEqual([4, 0]);
  });

  it('capabilities by their number and one', () => {
    const spec = { capabilities: { matchCapabilities: [{ capability: 'chown,CAP_NET_RAW,checkpoint_restore' }] } };
    expect(keysOf(spec)).toEqual([
      [1, 4, 0, deny],
      [14, 4, 0, deny + 1],
      [41, 4, 0, deny + 2],
    ]);
  });

  it('domains as paths from the last label on, which hold for all that is below', () => {
    const { entries, judged } = compiled([
      ksp({ network: { matchDNSQueries: [{ domain: 'WWW.Example.org.', action: 'Audit' }] } }),
    ]);
    const [entry, namespace, ...more] = entries;
    expect(more).toEqual([]);
    // So that a cluster's search suffix is known: the name of the workload's namespace, about which no rule says anything.
    expect(namespace).toMatchObject({
      object: { kind: 'name', name: 'demo' },
      category: 3 | (1 << 8),
      exact: noOutcomes,
    });
    expect(entry).toMatchObject({ object: { kind: 'path', path: '/org/example/www' }, category: 3, source: 0 });
    for (const outcomes of [entry?.exact, entry?.near, entry?.deep]) expect(outcomes?.[0]).toBe(alert);
    expect(judged).toBe(8);
  });

  it('system calls in the category', () => {
    const fromSource = [{ path: '/bin/rm' }];
    expect(keysOf({ syscalls: { matchSyscalls: [{ syscall: ['unlink', 'getpid'], fromSource }] } })).toEqual([
      [0, 5 | (87 << 8), 1, alert],
      [0, 5 | (87 << 8), 0, none],
      [0, 5 | (39 << 8), 1, alert],
      [0, 5 | (39 << 8), 0, none],
      ['/bin/rm', 17, 0, 1],
    ]);
  });

  it('the companion of a key for a single source says that there is one', () => {
    const { entries, flags } = compiled([
      ksp({ network: { matchProtocols: [{ protocol: 'tcp', fromSource: [{ path: '/bin/nc' }] }] } }),
    ]);
    expect(entries.map(({ source, flags: own, exact }) => [source, own, exact === noOutcomes])).toEqual([
      [1, 0, false],
      [0, 8, true],
      [0, 0, false],
    ]);
    expect(flags).toBe(2 ** 24 * 4);
  });
});

describe('lists of arguments', () => {
  it('make parts of a key, and stand there once', () => {
    const rule = (allowedArgs?: string[], action = 'Block') => ({
      path: '/x',
      action,
      ...(allowedArgs && { allowedArgs }),
    });
    const { entries } = compiled([
      ksp({
        process: {
          matchPaths: [
            rule(),
            rule(['-a', '-b']),
            rule(['-b', '-a', '-b'], 'Audit'),
            rule([]),
            { ...rule(['-a', '-b']), path: '/y' },
          ],
        },
      }),
    ]);
    const about = entries.map(({ object, category, source, flags, list, exact }) => [
      object.kind === 'path' ? object.path : object.kind === 'name' && object.name,
      ...[category, source, flags, list],
      ...exact.slice(0, 2),
    ]);
    const pass = 0x40000000;
    expect(about).toEqual([
      ['/x', 0, 0, 16, 0, deny, deny],
      ['/x', 0 | (1 << 8), 0, 0, 1, pass + 1, deny + 1],
      ['/x', 0 | (2 << 8), 0, 0, 2, pass + 3, deny + 3],
      ['/y', 0, 0, 16, 0, none, none],
      ['/y', 0 | (1 << 8), 0, 0, 1, pass + 4, deny + 4],
      ['-a', 18, 1, 0, 0, none, none],
      ['-b', 18, 1, 0, 0, none, none],
    ]);
  });
});

describe('presets', () => {
  it('the strictest of several policies counts, then the one that alerts prefer to name', () => {
    const one = (name: string, severity: number, presets: object[]) => csp({ severity, presets }, { name });
    const { presets, rules, judged } = compiled([
      one('a', 9, [
        { name: 'filelessExec', action: 'Audit' },
        { name: 'exec', action: 'Audit' },
      ]),
      one('b', 3, [{ name: 'filelessExec' }, { name: 'protectEnv' }]),
      one('c', 5, [
        { name: 'filelessExec', action: 'Block' },
        { name: 'exec', action: 'Audit' },
      ]),
    ]);
    expect(rules.map(({ policy, path, category, action }) => [policy, path, category, action])).toEqual([
      ['a', 'spec.presets[0]', 'process', 'Audit'],
      ['a', 'spec.presets[1]', 'process', 'Audit'],
      ['c', 'spec.presets[0]', 'process', 'Block'],
      ['c', 'spec.presets[1]', 'process', 'Audit'],
      ['b', 'spec.presets[0]', 'process', 'Block'],
      ['b', 'spec.presets[1]', 'file', 'Block'],
    ]);
    expect(presets).toEqual([deny + 2, none, deny + 5, none, alert + 1]);
    expect(judged).toBe(3);
  });
});

describe('postures', () => {
  it('of every category', () => {
    const audit = 'audit' as const;
    expect(compiled([], { defaultFilePosture: audit }).flags).toBe(256 * 3);
    expect(compiled([], { defaultNetworkPosture: audit }).flags).toBe(256 * 12);
    expect(compiled([], { defaultCapabilitiesPosture: audit }).flags).toBe(256 * 16);
  });

  it('allow-lists of every category', () => {
    const { flags, judged } = compiled([
      ksp({
        action: 'Allow',
        process: { matchPaths: [{ execname: 'x' }] },
        network: { matchProtocols: [{ protocol: 'tcp' }], matchDNSQueries: [{ domain: 'a' }] },
        capabilities: { matchCapabilities: [{ capability: 'kill' }] },
        syscalls: { matchSyscalls: [{ syscall: ['read'] }] },
      }),
    ]);
    expect(flags & 0xff).toBe(0b11101);
    expect(judged).toBe(0b111101);
  });
});

describe('globs', () => {
  it('equal automata that stand for other rules are apart, those for the same rules are one', () => {
    const { automata, entries } = compiled([
      ksp({
        file: {
          matchPatterns: [{ pattern: '/a/*.key' }, { pattern: '/{b,c}/*.key', action: 'Audit' }],
        },
      }),
    ]);
    expect(automata.map(({ digest, variant }) => [digest === automata[0]?.digest, variant])).toEqual([
      [true, 0],
      [true, 1],
    ]);
    const led = entries.flatMap(({ object, automaton }) => (object.kind === 'path' ? [[object.path, automaton]] : []));
    expect(Object.fromEntries(led)).toEqual({ '/a': 0, '/b': 1, '/c': 1 });
  });

  it('have their fixed leading directory in all its spellings', () => {
    const policy = understood(ksp({ process: { matchPatterns: [{ pattern: '/bin/a*' }] } }));
    const { entries, automata } = compile(
      [policy],
      workload(),
      settingsSchema.parse({}),
      new Map([['/bin', ['/bin', '/usr/[b]in']]]),
    );
    expect(automata).toHaveLength(1);
    expect(entries.flatMap(({ object }) => (object.kind === 'path' ? [object.path] : []))).toEqual([
      '/bin',
      '/usr/[b]in',
    ]);
  });
});
