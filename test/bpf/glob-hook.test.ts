import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import { Engine } from '../../agent/kernel/engine.ts';
import { Enforcement } from '../../agent/policy/enforcement.ts';
import { PathHasher, randomHashKey } from '../../agent/policy/hash.ts';
import { pathBytes } from '../../agent/policy/pathname.ts';
import { parsePolicyObject } from '../../agent/policy/read.ts';
import { defaultSettings } from '../../agent/policy/settings.ts';
import { RuleSetTable } from '../../agent/policy/sync.ts';
import { WorkloadRegistry } from '../../agent/workload/registry.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { makeCgroup } from '../agent/workload/cgroups.ts';
import { isLong } from '../scale.ts';

/** Programs that are executed while a directory above is renamed. */
const times = isLong ? 5_000 : 200;
const at = abi.event.fields;

/** A workload whose programs are reported by the patterns that match them. */
class Audited implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-glob-')));
  readonly engine: Engine;
  readonly #enforcement: Enforcement;
  readonly #table: RuleSetTable;
  readonly #cgroup: string;
  readonly #stack = new DisposableStack();

  constructor() {
    this.#stack.defer(() => rmSync(this.folder, { recursive: true, force: true }));
    const rings = { denyRingBytes: 4 << 20, auditRingBytes: 8 << 20 };
    this.engine = this.#stack.use(new Engine({ backend: 'tracepoint', hashKey: randomHashKey(), ...rings }));
    const registry = new WorkloadRegistry(this.engine);
    this.#table = new RuleSetTable(this.engine);
    this.#enforcement = new Enforcement(this.engine, this.#table, registry, defaultSettings);
    this.#cgroup = this.#stack.use(makeCgroup()).path;
    const record = {
      cgroup: this.#cgroup,
      containerId: 'g',
      namespace: 'test',
      pod: 'g',
      container: 'g',
      hostMounts: true,
    };
    const workload = registry.prepare(workloadSchema.parse(record));
    this.#enforcement.cover(workload);
    registry.connect(workload);
  }

  apply(patterns: readonly string[]): void {
    const [result] = this.#enforcement.apply([
      parsePolicyObject({
        apiVersion: 'security.kubearmor.com/v1',
        kind: 'KubeArmorPolicy',
        metadata: { name: 'globs', namespace: 'test' },
        spec: { selector: {}, action: 'Audit', process: { matchPatterns: patterns.map((pattern) => ({ pattern })) } },
      }),
    ]);
    expect(result).toMatchObject({ status: 'Applied' });
  }

  /** Runs a shell script in the workload, in the folder. */
  async run(script: string): Promise<void> {
    const enter = 'echo 0 >"$1/cgroup.procs" && cd "$2" && exec /bin/sh -c "$3"';
    const child = spawn('/bin/sh', ['-c', enter, 'sh', this.#cgroup, this.folder, script], { stdio: ['ignore', 2, 2] });
    expect(await once(child, 'exit')).toEqual([0, null]);
  }

  /** What has been reported: the hash of the path, and the index of the pattern. */
  alerts(): { hash: bigint; pattern: number }[] {
    const alerts: ReturnType<typeof this.alerts> = [];
    this.engine.auditRing.drain(({ view }, offset) => {
      if (view.getUint32(offset + at.kind.offset, true) !== abi.eventKind.EVENT_ALERT) return;
      const read = (field: 'set' | 'generation' | 'outcome') => view.getUint32(offset + at[field].offset, true);
      const rules = this.#table.find(read('set'), read('generation'))?.rules;
      const rule = rules?.[read('outcome') & abi.outcome.OUTCOME_RULE];
      const hash = view.getBigUint64(offset + at.path_hash.offset, true);
      alerts.push({ hash, pattern: Number(/\[(\d+)\]$/.exec(rule?.path ?? '')?.[1]) });
    });
    return alerts;
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}

const escaped = (name: string) => name.replace(/[\\*?[\]{},]/g, '\\$&');

describe.skipIf(missingForHost)(named('patterns in the kernel', missingForHost), () => {
  it('see every name as it is: all lengths, all depths, bytes of all kinds', async () => {
    using audited = new Audited();
    const program = join(audited.folder, 'true');
    copyFileSync('/bin/true', program);
    const lengths = [...Array(64).keys(), 127, 128, 200, 253, 254].map(
      (n) => `n/${String.fromCharCode(0x61 + (n % 26)).repeat(n)}x`,
    );
    const bytes = [...Array(255).keys()]
      .map((byte) => byte + 1)
      .filter((byte) => byte !== 0x2f && byte !== 0x0a)
      .map((byte) => `b/${byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(0xdc00 + byte)}abcdef`);
    const depths = [1, 2, 3, 4, 5, 6, 20, 30, 60].map((n) => `d${'/name'.repeat(n)}/p${n}`);
    const names = [...lengths, ...bytes, ...depths];
    for (const name of names) {
      const path = pathBytes(join(audited.folder, name));
      mkdirSync(dirname(join(audited.folder, name)), { recursive: true });
      linkSync(program, path);
    }
    // Each name by a pattern of its own, behind what any of them could begin with.
    audited.apply(
      names.map((name) => `${audited.folder}/**${name.startsWith('d') ? '' : '/'}${escaped(name.slice(2))}`),
    );
    writeFileSync(join(audited.folder, 'list'), Buffer.concat(names.map((name) => pathBytes(`${name}\n`))));
    await audited.run('while IFS= read -r program; do "./$program" || exit 1; done <list');
    const alerts = audited.alerts();
    expect(alerts.map(({ pattern }) => names[pattern])).toEqual(names);
    expect(audited.engine.counters()).toMatchObject({ ring_audit_lost: 0, path_unresolved: 0 });
  });

  it('match the name that was judged while a directory below theirs is renamed, never none', async () => {
    using audited = new Audited();
    const spellings = ['a', 'a-name-of-more-than-28-characters'];
    mkdirSync(join(audited.folder, 'a/x'), { recursive: true });
    copyFileSync('/bin/true', join(audited.folder, 'a/x/p'));
    audited.apply(spellings.map((name) => `${audited.folder}/${name}/*/p`));
    const rename = 'rename($a, $b), rename($b, $a)';
    const storm = `taskset -c 0-1023 perl -e '($a, $b) = qw(${spellings.join(' ')}); ${rename} while !-e "stop"' &`;
    const runs = `cd a/x; i=0; while [ $i -lt ${times} ]; do i=$((i + 1)); ./p; done; touch ../../stop; wait`;
    await audited.run(`${storm}\n${runs}`);
    const alerts = audited.alerts();
    const { path_unresolved: unresolved } = audited.engine.counters();
    console.log(`${alerts.length} of ${times} reported, ${unresolved} unresolved`);
    expect(alerts.length + (unresolved ?? 0)).toBe(times);
    expect(alerts.length).toBeGreaterThan(times / 2);
    const hasher = new PathHasher(audited.engine.hashKey);
    const root = audited.engine.ownRoot() === '/' ? '' : audited.engine.ownRoot();
    const hashes = spellings.map((name) => hasher.hash(`${root}${audited.folder}/${name}/x/p`));
    expect(new Set(alerts.map(({ pattern }) => pattern))).toEqual(new Set([0, 1]));
    expect(alerts.filter(({ hash, pattern }) => hash !== hashes[pattern])).toEqual([]);
  });
});
