import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import type { Engine } from '../../../agent/kernel/engine.ts';
import { cgroup2Mount } from '../../../agent/workload/cgroup.ts';
import { mountNamespace, WorkloadRegistry } from '../../../agent/workload/registry.ts';
import { type WorkloadRecord, workloadSchema } from '../../../agent/workload/workload.ts';
import { named } from '../kernel/compile.ts';
import { makeCgroup, missingForCgroups } from './cgroups.ts';

const { fields, size } = abi.workload;

/** The kernel's tables in memory: workloads by slot, cgroups by id. */
class FakeEngine {
  readonly bytes = Buffer.alloc(abi.limits.MAX_WORKLOADS * size);
  readonly cgroups = new Map<bigint, { workload: bigint; slot: number }>();
  sweeps = 0;
  readonly id = 'these maps';
  readonly control = { load: () => 0n };
  /** Called at each change of the cgroup table. */
  changed: () => void = () => {};
  readonly workloads = {
    element: (slot: number) => new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + slot * size, size),
    store: (slot: number, offset: number, word: bigint) => this.bytes.writeBigUInt64LE(word, slot * size + offset),
    load: (slot: number, offset: number) => this.bytes.readBigUInt64LE(slot * size + offset),
  };

  readonly paths = new Map<string, bigint>();

  map(name: string) {
    if (name === 'picket_expected') {
      const pathOf = (key: Uint8Array) => Buffer.from(key).toString().replaceAll('\0', '');
      return {
        update: (key: Uint8Array, value: Uint8Array) =>
          this.paths.set(pathOf(key), Buffer.from(value).readBigUInt64LE(abi.cgroup.fields.workload.offset)),
        lookup: (key: Uint8Array) => (this.paths.has(pathOf(key)) ? new Uint8Array(16) : undefined),
        delete: (key: Uint8Array) => this.paths.delete(pathOf(key)),
        entries: () => [],
      };
    }
    const idOf = (key: Uint8Array) => Buffer.from(key).readBigUInt64LE();
    return {
      update: (key: Uint8Array, value: Uint8Array) => {
        const bytes = Buffer.from(value);
        this.cgroups.set(idOf(key), {
          workload: bytes.readBigUInt64LE(abi.cgroup.fields.workload.offset),
          slot: bytes.readUInt32LE(abi.cgroup.fields.slot.offset),
        });
        this.changed();
      },
      lookup: (key: Uint8Array) => {
        const known = this.cgroups.get(idOf(key));
        return known && new Uint8Array(new BigUint64Array([known.workload, BigInt(known.slot)]).buffer);
      },
      delete: (key: Uint8Array) => this.cgroups.delete(idOf(key)),
      entries: () =>
        [...this.cgroups].map(([id, { workload }]) => [
          new Uint8Array(new BigUint64Array([id]).buffer),
          new Uint8Array(new BigUint64Array([workload, 0n]).buffer),
        ]),
    };
  }

  readonly guarded = new Set<string>();

  collectGuards(): void {}

  guard(cgroup: string): void {
    this.guarded.add(cgroup);
  }

  unguard(cgroup: string): void {
    this.guarded.delete(cgroup);
  }

  sweep(): void {
    this.sweeps++;
  }
}

let engine: FakeEngine;
let registry: WorkloadRegistry;
beforeEach(() => {
  engine = new FakeEngine();
  registry = new WorkloadRegistry(engine as unknown as Engine);
});
afterEach(() => vi.useRealTimers());

const recordOf = (cgroup: string, containerId = 'c1', change: Partial<WorkloadRecord> = {}) =>
  workloadSchema.parse({ cgroup, containerId, namespace: 'demo', pod: 'p', container: 'c', ...change });
const idOf = (path: string) => statSync(path, { bigint: true }).ino;

describe.skipIf(missingForCgroups)(named('WorkloadRegistry', missingForCgroups), () => {
  it('prepare() fills a slot, connect() leads the cgroups to it, remove() undoes both', () => {
    using cgroup = makeCgroup();
    mkdirSync(join(cgroup.path, 'below'));
    const workload = registry.prepare(recordOf(cgroup.path));
    expect([engine.workloads.load(workload.slot, fields.id.offset), engine.cgroups.size]).toEqual([workload.id, 0]);
    registry.connect(workload);
    const target = { workload: workload.id, slot: workload.slot };
    expect(engine.cgroups).toEqual(
      new Map([
        [idOf(cgroup.path), target],
        [idOf(join(cgroup.path, 'below')), target],
      ]),
    );
    expect(engine.sweeps).toBe(1);
    expect([registry.all, registry.find(workload.id), registry.findContainer('c1')]).toEqual([
      [workload],
      workload,
      workload,
    ]);
    registry.remove(workload);
    expect([engine.workloads.load(workload.slot, fields.id.offset), engine.cgroups.size, registry.all]).toEqual([
      0n,
      0,
      [],
    ]);
  });

  it('connect() finds a cgroup that is made meanwhile', () => {
    using cgroup = makeCgroup();
    const workload = registry.prepare(recordOf(cgroup.path));
    const late = join(cgroup.path, 'late');
    engine.changed = () => {
      engine.changed = () => {};
      mkdirSync(late);
    };
    registry.connect(workload);
    expect(engine.cgroups.has(idOf(late))).toBe(true);
  });

  it('gives no id twice, and a slot again', () => {
    using one = makeCgroup();
    using two = makeCgroup();
    const first = registry.prepare(recordOf(one.path, 'a'));
    registry.remove(first);
    const second = registry.prepare(recordOf(two.path, 'b'));
    expect([second.id === first.id, second.slot === first.slot]).toEqual([false, true]);
  });

  it('find() names a workload for a minute after its end', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    using cgroup = makeCgroup();
    const workload = registry.prepare(recordOf(cgroup.path));
    registry.remove(workload);
    registry.ended();
    expect(registry.find(workload.id)).toBe(workload);
    vi.advanceTimersByTime(60_001);
    registry.ended();
    expect(registry.find(workload.id)).toBeUndefined();
  });

  it('prepare() of a known container takes the new record, and refuses another cgroup', () => {
    using one = makeCgroup();
    using two = makeCgroup();
    const workload = registry.prepare(recordOf(one.path));
    expect(registry.prepare(recordOf(one.path, 'c1', { labels: { a: 'b' } }))).toBe(workload);
    expect(workload.record.labels).toEqual({ a: 'b' });
    expect(() => registry.prepare(recordOf(two.path))).toThrow(
      `container c1 is registered with the cgroup ${one.path}; remove it first`,
    );
  });

  it('refuses a cgroup that is none, and takes no slot for it', () => {
    expect(() => registry.prepare(recordOf('/tmp'))).toThrow(/is no cgroup v2 directory/);
    using cgroup = makeCgroup();
    expect([registry.prepare(recordOf(cgroup.path)).slot, registry.all.length]).toEqual([1, 1]);
  });

  it('connect() says when the cgroup vanished meanwhile, connectAll() passes over it', () => {
    const cgroup = makeCgroup();
    using other = makeCgroup();
    const workload = registry.prepare(recordOf(cgroup.path));
    const living = registry.prepare(recordOf(other.path, 'c2'));
    cgroup[Symbol.dispose]();
    expect(() => registry.connect(workload)).toThrow(
      expect.objectContaining({ code: 'workload', message: expect.stringContaining('does not exist') }),
    );
    registry.connectAll();
    expect([engine.cgroups, engine.sweeps]).toEqual([
      new Map([[idOf(other.path), { workload: living.id, slot: living.slot }]]),
      1,
    ]);
    expect(registry.ended()).toEqual([workload]);
    registry.remove(workload);
    expect(registry.prepare(recordOf(other.path, 'c3')).slot).toBe(workload.slot);
  });

  describe('a workload whose cgroup is still to be made', () => {
    const toCome = () => `${cgroup2Mount()}/picket-to-come-${process.pid}`;

    it('waits for it under its path in the hierarchy, and is one like any other when it is there', () => {
      const workload = registry.prepare(recordOf(`${toCome()}/`, 'c1', { expected: true }));
      registry.connect(workload);
      expect(engine.paths).toEqual(new Map([[`/picket-to-come-${process.pid}`, workload.id]]));
      expect([registry.ended(), registry.appeared(), registry.toSaved(workload).expected]).toEqual([[], [], true]);
      mkdirSync(toCome());
      engine.paths.clear(); // as the kernel side does
      expect([registry.ended(), registry.appeared()]).toEqual([[], [workload]]);
      expect([registry.appeared(), registry.toSaved(workload).expected]).toEqual([[], false]);
      rmdirSync(toCome());
      expect(registry.ended()).toEqual([workload]);
    });

    it('may have come and gone unseen', () => {
      const workload = registry.prepare(recordOf(toCome(), 'c1', { expected: true }));
      registry.connect(workload);
      engine.paths.clear();
      expect([registry.appeared(), registry.ended()]).toEqual([[], [workload]]);
    });

    it('is connected when it is made between preparing and connecting', () => {
      const workload = registry.prepare(recordOf(toCome(), 'c1', { expected: true }));
      mkdirSync(toCome());
      try {
        registry.connect(workload);
        expect([engine.paths.size, engine.cgroups.has(idOf(toCome()))]).toEqual([0, true]);
      } finally {
        rmdirSync(toCome());
      }
    });

    it('is forgotten with its path, and known again by the next agent', () => {
      const workload = registry.prepare(recordOf(toCome(), 'c1', { expected: true }));
      registry.connect(workload);
      const next = new WorkloadRegistry(engine as unknown as Engine);
      expect(next.adopt([registry.toSaved(workload)])).toEqual({ ended: [], homeless: [] });
      expect(next.ended()).toEqual([]);
      for (const known of next.all) next.remove(known);
      expect(engine.paths.size).toBe(0);
    });
  });

  describe('adopt()', () => {
    const nextAgent = (): WorkloadRegistry => new WorkloadRegistry(engine as unknown as Engine);

    it('knows workloads again by what the disk says, and their slots and ids are not given to others', () => {
      using one = makeCgroup();
      using two = makeCgroup();
      using three = makeCgroup();
      const [first, second] = [registry.prepare(recordOf(one.path, 'a')), registry.prepare(recordOf(two.path, 'b'))];
      registry.connect(first);
      registry.remove(first);
      registry.connect(second);
      const saved = [registry.toSaved(second)];
      const next = nextAgent();
      expect(next.adopt(saved)).toEqual({ ended: [], homeless: [] });
      expect(next.all.map(({ id, slot }) => [id, slot])).toEqual([[second.id, second.slot]]);
      const third = next.prepare(recordOf(three.path, 'c'));
      expect([third.slot, third.id > second.id]).toEqual([first.slot, true]);
    });

    it('tells those whose cgroup is gone, or is another one by now, and those of other maps', () => {
      const gone = makeCgroup();
      using again = makeCgroup();
      using elsewhere = makeCgroup();
      const [a, b] = [registry.prepare(recordOf(gone.path, 'a')), registry.prepare(recordOf(again.path, 'b'))];
      registry.connect(a);
      registry.connect(b);
      gone[Symbol.dispose]();
      engine.cgroups.set(idOf(again.path), { workload: 4711n, slot: 9 });
      const far = { ...registry.toSaved(b), engine: 'other maps', record: recordOf(elsewhere.path, 'c') };
      const { ended, homeless } = nextAgent().adopt([registry.toSaved(a), registry.toSaved(b), far]);
      expect([ended.map(({ id }) => id), homeless.map(({ containerId }) => containerId)]).toEqual([
        [a.id, b.id],
        ['c'],
      ]);
    });

    it('leaves those that the disk does not know under their rules until their cgroup is gone', () => {
      using cgroup = makeCgroup();
      using other = makeCgroup();
      const workload = registry.prepare(recordOf(cgroup.path));
      registry.connect(workload);
      engine.workloads.store(workload.slot, fields.set.offset, (7n << 32n) | 3n);
      const next = nextAgent();
      next.adopt([]);
      expect([next.all, next.unknown, next.removeUnknown()]).toEqual([[], 1, []]);
      expect(next.prepare(recordOf(other.path, 'o')).slot).not.toBe(workload.slot);
      engine.cgroups.clear(); // as the kernel side does when a cgroup is removed
      expect([next.removeUnknown(), next.unknown]).toEqual([[workload.slot], 0]);
      expect(engine.workloads.load(workload.slot, fields.set.offset)).toBe(0n);
    });

    it('gives one that the disk does not know to whoever registers its cgroup, without a moment outside its rules', () => {
      using cgroup = makeCgroup();
      const workload = registry.prepare(recordOf(cgroup.path, 'before'));
      registry.connect(workload);
      engine.workloads.store(workload.slot, fields.set.offset, (7n << 32n) | 3n);
      const next = nextAgent();
      next.adopt([]);
      const known = next.prepare(recordOf(cgroup.path, 'after'));
      expect([known.id, known.slot, known.generation, next.unknown]).toEqual([workload.id, workload.slot, 7, 0]);
      expect(engine.workloads.load(workload.slot, fields.set.offset)).toBe((7n << 32n) | 3n);
    });
  });

  it('says when the table is full', () => {
    using cgroup = makeCgroup();
    for (let i = 1; i < abi.limits.MAX_WORKLOADS; i++) registry.prepare(recordOf(cgroup.path, `c${i}`));
    for (let i = 0; i < 2; i++)
      expect(() => registry.prepare(recordOf(cgroup.path, 'more'))).toThrow('the table of workloads is full (16384)');
    const [first] = registry.all;
    if (first) registry.remove(first);
    expect(registry.prepare(recordOf(cgroup.path, 'more')).slot).toBe(first?.slot);
  });

  it('prepare() knows the mounts of a workload that runs already', async () => {
    using cgroup = makeCgroup();
    const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'inherit'] });
    await once(child, 'spawn');
    writeFileSync(join(cgroup.path, 'cgroup.procs'), String(child.pid));
    const workload = registry.prepare(recordOf(cgroup.path));
    expect([workload.rootPid, workload.hostMounts]).toEqual([child.pid, true]);
    const element = Buffer.from(engine.workloads.element(workload.slot));
    const { WORKLOAD_STARTED, WORKLOAD_HOST_MOUNTS } = abi.workloadFlags;
    expect(element.readUInt32LE(fields.flags.offset)).toBe(WORKLOAD_STARTED | WORKLOAD_HOST_MOUNTS);
    expect(element.readUInt32LE(fields.mount_namespace.offset)).toBe(mountNamespace(process.pid));
    child.stdin.end();
    await once(child, 'exit');
  });

  it('rootPid() turns to another process of the workload when the first has ended, and trusts no pid outside of it', async () => {
    using cgroup = makeCgroup();
    const children = [1, 2].map(() => spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'inherit'] }));
    await Promise.all(children.map((child) => once(child, 'spawn')));
    for (const { pid } of children) writeFileSync(join(cgroup.path, 'cgroup.procs'), String(pid));
    const workload = registry.prepare(recordOf(cgroup.path));
    const [first, second] = children.map(({ pid }) => pid);
    expect(registry.rootPid(workload)).toBe(Math.min(first ?? 0, second ?? 0));
    workload.rootPid = process.pid; // as if the pid were used again
    expect([first, second]).toContain(registry.rootPid(workload));
    for (const child of children) child.stdin.end();
    await Promise.all(children.map((child) => once(child, 'exit')));
    expect(registry.rootPid(workload)).toBeUndefined();
  });

  it('rootPid() passes over a process with other mounts', async () => {
    using cgroup = makeCgroup();
    const workload = registry.prepare(recordOf(cgroup.path));
    const child = spawn('unshare', ['--mount', '--propagation', 'unchanged', '/bin/cat'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    await once(child, 'spawn');
    await vi.waitUntil(() => mountNamespace(child.pid ?? 0) !== mountNamespace(process.pid), { timeout: 10_000 });
    writeFileSync(join(cgroup.path, 'cgroup.procs'), String(child.pid));
    Buffer.from(engine.bytes.buffer, engine.bytes.byteOffset + workload.slot * size).writeUInt32LE(
      mountNamespace(process.pid) ?? 0,
      fields.mount_namespace.offset,
    );
    workload.rootPid = child.pid;
    expect(registry.rootPid(workload)).toBeUndefined();
    child.stdin.end();
    await once(child, 'exit');
  });

  it('ended() gives the workloads whose cgroup is gone', () => {
    using cgroup = makeCgroup();
    const gone = makeCgroup();
    registry.prepare(recordOf(cgroup.path, 'stays'));
    registry.prepare(recordOf(gone.path, 'goes'));
    gone[Symbol.dispose]();
    expect(registry.ended().map(({ record }) => record.containerId)).toEqual(['goes']);
  });
});
