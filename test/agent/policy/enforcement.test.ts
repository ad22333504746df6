import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../../agent/kernel/engine.ts';
import { KernelError } from '../../../agent/kernel/error.ts';
import type { EncodedRuleSet } from '../../../agent/policy/encode.ts';
import { Enforcement } from '../../../agent/policy/enforcement.ts';
import { randomHashKey } from '../../../agent/policy/hash.ts';
import { LinkWatch } from '../../../agent/policy/link-watch.ts';
import { parsePolicyObject, readPolicies } from '../../../agent/policy/read.ts';
import { defaultSettings } from '../../../agent/policy/settings.ts';
import type { RuleSetTable } from '../../../agent/policy/sync.ts';
import { type SavedPolicy, savedPolicy } from '../../../agent/state/saved.ts';
import type { StateKeeper, StateWriter } from '../../../agent/state/state.ts';
import type { Workload, WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { isLong } from '../../scale.ts';
import { csp, ksp, workload } from './objects.ts';

/** The rule sets of the kernel, as far as the table tells of them. */
class FakeTable {
  readonly unknownCalls: number[] = [];
  readonly installed = new Set<EncodedRuleSet>();
  readonly flips: [slot: number, generation: number][] = [];
  readonly inForce = new Map<number, EncodedRuleSet>();
  /** Rule sets that there is room for. */
  room = Number.POSITIVE_INFINITY;

  install(_: unknown, encoded: EncodedRuleSet): undefined {
    if (!this.installed.has(encoded) && this.installed.size >= this.room) throw new KernelError('full', 'no room');
    this.installed.add(encoded);
  }

  isInForce(slot: number, encoded: EncodedRuleSet): boolean {
    return this.inForce.get(slot) === encoded;
  }

  flip(slot: number, encoded: EncodedRuleSet, generation: number): void {
    this.flips.push([slot, generation]);
    this.inForce.set(slot, encoded);
  }

  collect(): [] {
    for (const encoded of this.installed)
      if (![...this.inForce.values()].includes(encoded)) this.installed.delete(encoded);
    return [];
  }
}

function make(state?: StateKeeper) {
  const table = new FakeTable();
  const all: Workload[] = [];
  const registry = { all, host: undefined, rootPid: () => undefined, usesIoUring: () => false };
  const calls = { watch: () => {}, exists: () => true };
  const control = { load: () => 0n, store: () => {} };
  const engine = { ownRoot: () => '/', hashKey: randomHashKey(), calls, control };
  const enforcement = new Enforcement(
    engine as unknown as Engine,
    table as unknown as RuleSetTable,
    registry as unknown as WorkloadRegistry,
    defaultSettings,
    { ...(state && { state }) },
  );
  const add = (fields: Parameters<typeof workload>[0] = {}): Workload => {
    const slot = all.length + 1;
    const record = workload({ ...fields, containerId: `c${slot}` });
    const added = { id: BigInt(slot), slot, record, rootPid: undefined, hostMounts: true, users: [], generation: 0 };
    all.push(added);
    enforcement.cover(added);
    return added;
  };
  const apply = (...objects: object[]) => enforcement.apply(objects.map(parsePolicyObject));
  return { table, enforcement, add, apply };
}

const block = (path: string, rest: object = {}) => ({ ...rest, file: { matchPaths: [{ path }] } });

describe('Enforcement', () => {
  it('shares one rule set between workloads for which all is the same that it is made of', () => {
    const { table, add, apply } = make();
    for (const namespace of ['demo', 'demo', 'other']) add({ namespace });
    add({ namespace: 'demo', annotations: { 'kubearmor-policy': 'audited' } });
    add({ namespace: 'demo', namespaceAnnotations: { 'kubearmor-file-posture': 'audit' } });
    apply(csp(block('/a')), ksp(block('/b')));
    const sets = [1, 2, 3, 4, 5].map((slot) => table.inForce.get(slot));
    expect(sets[0]).toBe(sets[1]);
    expect(new Set(sets).size).toBe(4);
  });

  it('touches only the workloads that a change concerns, each once', () => {
    const { table, enforcement, add, apply } = make();
    add({ namespace: 'one' });
    add({ namespace: 'two' });
    const before = enforcement.generation;
    table.flips.length = 0;
    apply(ksp(block('/a'), { namespace: 'one' }));
    apply(ksp(block('/a'), { name: 'q', namespace: 'two' }));
    apply(ksp(block('/b'), { namespace: 'one' }));
    apply(ksp(block('/b'), { namespace: 'one' })); // the same again
    enforcement.delete([{ name: 'q' }]);
    expect(table.flips).toEqual([
      [1, before + 1],
      [2, before + 2],
      [1, before + 3],
      [2, before + 5],
    ]);
  });

  it('counts the workloads that a policy covers', () => {
    const { enforcement, add, apply } = make();
    for (const namespace of ['demo', 'demo', 'other']) add({ namespace });
    expect(apply(csp(block('/a')), ksp(block('/b')), ksp(block('/c'), { name: 'q', namespace: 'no' }))).toMatchObject([
      { workloads: 3 },
      { workloads: 2 },
      { workloads: 0, diagnostics: expect.arrayContaining([expect.objectContaining({ code: 'NoWorkload' })]) },
    ]);
    expect(enforcement.policies.map(({ workloads }) => workloads)).toEqual([3, 2, 0]);
  });

  it('leaves everything as it was when there is no room', () => {
    const { table, add, apply } = make();
    for (const namespace of ['one', 'two']) add({ namespace });
    apply(csp(block('/a')));
    const before = new Map(table.inForce);
    table.flips.length = 0;
    table.room = table.installed.size + 1;
    const more = ['one', 'two'].map((namespace) => ksp(block(`/${namespace}`), { namespace }));
    expect(apply(more[0] ?? {}, more[1] ?? {}).map(({ status }) => status)).toEqual(['Applied', 'Invalid']);
    expect(table.inForce.get(2)).toBe(before.get(2));
    expect(table.flips).toHaveLength(1);
  });

  it('knows after a restart in which lines of which file its policies stood', () => {
    const saved: SavedPolicy[] = [];
    const writer = { putPolicy: (policy: SavedPolicy) => saved.push(policy), setGeneration: () => {} };
    const before = make({ write: (change) => change(writer as unknown as StateWriter) });
    const text = [
      'apiVersion: security.kubearmor.com/v1',
      'kind: KubeArmorPolicy',
      'metadata: {name: p, namespace: demo}',
      'spec:',
      '  file:',
      '    matchPaths:',
      '    - path: /a',
      '    - path: /b',
      '      execname: x',
      '  presets:',
      '  - name: exec',
    ].join('\n');
    before.enforcement.apply(readPolicies(text, '/etc/p.yaml'));
    before.apply(ksp(block('/c'), { name: 'object' }));
    const policies = saved.map((policy) => savedPolicy.parse(JSON.parse(JSON.stringify(policy))));
    const after = make();
    const record = after.add({ namespace: 'demo' });
    expect(after.enforcement.restore({ policies, settings: undefined, generation: 2 })).toEqual([]);
    const found = (name: string, { enforcement }: typeof after) =>
      enforcement.covering(record).policies.find((policy) => policy.name === name);
    expect(found('p', after)?.rules.map(({ position }) => position)).toEqual([
      { file: '/etc/p.yaml', line: 7, column: 7 },
      { file: '/etc/p.yaml', line: 8, column: 7 },
    ]);
    expect(found('p', after)?.presets).toMatchObject([{ position: { line: 11, column: 5 } }]);
    expect(found('object', after)?.rules[0]).not.toHaveProperty('position');
    const told = ({ enforcement }: typeof after) =>
      enforcement.policies[0]?.diagnostics.filter(({ code }) => code === 'UnknownField');
    expect(told(after)).toMatchObject([{ position: { file: '/etc/p.yaml', line: 9, column: 7 } }]);
    expect(told(after)).toEqual(told(before));
  });

  const [workloads, kinds] = isLong ? [10_000, 200] : [2_000, 200];
  it(`brings ${workloads} workloads under ${kinds} rule sets, each made once`, () => {
    const { table, add, apply } = make();
    for (let i = 0; i < workloads; i++) add({ namespace: 'demo', labels: { kind: `k${i % kinds}` } });
    const before = process.cpuUsage();
    const policies = [...new Array(kinds).keys()].map((i) =>
      ksp(
        {
          selector: { matchLabels: { kind: `k${i}` } },
          file: { matchPaths: [...new Array(50).keys()].map((j) => ({ path: `/opt/${i}/file-${j}` })) },
        },
        { name: `p${i}` },
      ),
    );
    expect(new Set(apply(...policies).map(({ status }) => status))).toEqual(new Set(['Applied']));
    const { user, system } = process.cpuUsage(before);
    console.log(`${workloads} workloads, ${kinds} rule sets of 50: ${Math.round((user + system) / 1000)} ms`);
    expect(table.installed.size).toBe(kinds);
    expect(new Set(table.inForce.values()).size).toBe(kinds);
  });
});

describe('what is told about paths', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-targets-')));
    writeFileSync(join(folder, 'busybox'), '');
    for (const name of ['ls', 'cat', 'cp', 'mv', 'ln', 'rm', 'sh']) symlinkSync('busybox', join(folder, name));
    symlinkSync('lone', join(folder, 'link'));
    writeFileSync(join(folder, 'lone'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const told = (
    apply: (object: object) => { diagnostics: { code: string; field: string; message: string }[] }[],
    spec: object,
  ) => apply(ksp(spec))[0]?.diagnostics.filter(({ code }) => code !== 'NotCovered') ?? [];

  it('a link to a program that has other links: SharedTarget', () => {
    const { add, apply } = make();
    for (let i = 0; i < 3; i++) add();
    const [found, ...more] = told(apply, { process: { matchPaths: [{ path: join(folder, 'ls') }] } });
    expect(more).toEqual([]);
    expect(found).toMatchObject({ code: 'SharedTarget', level: 'warning', field: 'spec.process.matchPaths[0]' });
    expect(found?.message).toContain(`${folder}/ls is a link to ${folder}/busybox, as are ${folder}/`);
    expect(found?.message).toContain(' and 1 more: the rule holds for all of them');
    const rest = { fromSource: [{ path: join(folder, 'cat') }] };
    expect(told(apply, { file: { matchPaths: [{ path: join(folder, 'lone'), ...rest }] } })).toMatchObject([
      { code: 'SharedTarget', field: 'spec.file.matchPaths[0]' },
    ]);
  });

  it('nothing of a link that is the only one, of the program itself, of files', () => {
    const { add, apply } = make();
    add();
    for (const name of ['link', 'busybox'])
      expect(told(apply, { process: { matchPaths: [{ path: join(folder, name) }] } })).toEqual([]);
    expect(told(apply, { file: { matchPaths: [{ path: join(folder, 'ls') }] } })).toEqual([]);
  });

  it('a path that does not exist: TargetMissing', () => {
    const { add, apply } = make();
    add();
    const spec = { file: { matchPaths: [{ path: join(folder, 'ls') }], matchDirectories: [{ dir: `${folder}/no/` }] } };
    expect(told(apply, spec)).toMatchObject([
      {
        code: 'TargetMissing',
        level: 'info',
        field: 'spec.file.matchDirectories[0]',
        message: `${folder}/no does not exist in the workload now; the rule holds as soon as it does`,
      },
    ]);
  });

  it('of ten thousand missing paths a hundred', () => {
    const { add, apply } = make();
    add();
    const matchPaths = [...new Array(10_000).keys()].map((i) => ({ path: join(folder, `no-${i}`) }));
    const found = told(apply, { file: { matchPaths } });
    expect(found).toHaveLength(101);
    expect(found.at(-1)?.message).toBe('9900 more findings are not listed');
  });
});

describe('LinkWatch', () => {
  let ms = 0;
  const clock = () => ms++;
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-links-')));
    for (const name of ['a', 'b']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'file'), '');
    }
    symlinkSync('a', join(folder, 'link'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const spellingsOf = (enforcement: Enforcement, path: string): readonly string[][] =>
    [...enforcement.plans].map(({ resolved }) => [...(resolved.spellings.get(path) ?? [])]);

  it('has rules resolved again whose link is another one, in all workloads that see it', () => {
    const { table, enforcement, add, apply } = make();
    for (let i = 0; i < 3; i++) add();
    const other = add({ namespace: 'other' });
    const path = join(folder, 'link/file');
    apply(ksp(block(path)), csp(block(join(folder, 'a/file'))));
    const watch = new LinkWatch(enforcement, () => undefined, clock);
    expect(watch.check()).toEqual([]);
    table.flips.length = 0;
    symlinkSync('b', join(folder, 'new'));
    renameSync(join(folder, 'new'), join(folder, 'link'));
    expect(
      watch
        .check()
        .map(({ slot }) => slot)
        .sort(),
    ).toEqual([1, 2, 3]);
    expect(table.flips.map(([slot]) => slot)).toEqual([3, 2, 1]);
    expect(spellingsOf(enforcement, path).slice(0, 3)).toEqual(new Array(3).fill([path, join(folder, 'b/file')]));
    expect(other.generation).toBeLessThan(enforcement.generation);
    expect(watch.check()).toEqual([]);
  });

  it('has them resolved again when something that was missing is there, and when a link is gone', () => {
    const { enforcement, add, apply } = make();
    add();
    const later = join(folder, 'later/file');
    apply(ksp(block(later)));
    const watch = new LinkWatch(enforcement, () => undefined, clock);
    expect(watch.check()).toEqual([]);
    symlinkSync('b', join(folder, 'later'));
    expect(watch.check()).toHaveLength(1);
    expect(spellingsOf(enforcement, later)).toEqual([[later, join(folder, 'b/file')]]);
    rmSync(join(folder, 'later'));
    ms += 1000;
    expect(watch.check()).toHaveLength(1);
    expect(spellingsOf(enforcement, later)).toEqual([[later]]);
  });

  it('reads the root of a workload whose first program has not started, once it is there', () => {
    const { enforcement, add, apply } = make();
    const root = join(folder, 'rootfs');
    const one = add({ root });
    one.hostMounts = false;
    apply(ksp({ process: { matchPaths: [{ path: '/bin/sleep' }] } }));
    const watch = new LinkWatch(enforcement, () => undefined, clock);
    expect(watch.check()).toEqual([]);
    expect(spellingsOf(enforcement, '/bin/sleep')).toEqual([['/bin/sleep']]);
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    symlinkSync('usr/bin', join(root, 'bin'));
    enforcement.refresh([one]);
    expect(spellingsOf(enforcement, '/bin/sleep')).toEqual([['/bin/sleep', '/usr/bin/sleep']]);
    symlinkSync('/bin', join(root, 'usr/more'));
    renameSync(join(root, 'usr/more'), join(root, 'bin'));
    expect(watch.check()).toHaveLength(1);
  });

  it('keeps what was resolved when nothing runs any more through which the root could be seen', () => {
    const { enforcement, add, apply } = make();
    const one = add();
    apply(ksp(block(join(folder, 'link/file'))));
    Object.assign(one, { hostMounts: false, rootPid: 2 ** 30 });
    expect(new LinkWatch(enforcement, () => undefined, clock).check()).toEqual([]);
  });
});
