import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as abi from '../../agent/abi.gen.ts';
import { Engine } from '../../agent/kernel/engine.ts';
import { PathHasher, randomHashKey } from '../../agent/policy/hash.ts';
import { pathFromBytes } from '../../agent/policy/pathname.ts';
import { WorkloadRegistry } from '../../agent/workload/registry.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { missingForHost } from '../agent/host.ts';
import { named } from '../agent/kernel/compile.ts';
import { makeCgroup } from '../agent/workload/cgroups.ts';

const at = abi.event.fields;

/** Programs of the test: every length of a name, depths up to what the walk reaches, and bytes of all kinds. */
function makePrograms(folder: string): Buffer[] {
  const program = join(folder, 'true');
  copyFileSync('/bin/true', program);
  const paths: Buffer[] = [];
  const link = (directory: string, name: Buffer): void => {
    const path = Buffer.concat([Buffer.from(`${directory}/`), name]);
    linkSync(program, path);
    paths.push(path);
  };
  const names = join(folder, 'names');
  mkdirSync(names);
  for (let length = 1; length <= 255; length++)
    link(names, Buffer.from(Array.from({ length }, (_, i) => 0x61 + ((i * 7 + length) % 26))));
  const strange = join(folder, 'strange');
  mkdirSync(strange);
  for (let byte = 1; byte < 256; byte++)
    if (byte !== 0x2f && byte !== 0x0a) link(strange, Buffer.of(byte, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, byte));
  let directory = join(folder, 'depth');
  mkdirSync(directory);
  for (let depth = directory.split('/').length; depth < 58; depth++) {
    link(directory, Buffer.from(`at-${depth}`));
    directory = join(directory, `d${'x'.repeat(depth)}`);
    mkdirSync(directory);
  }
  return paths;
}

/** Executes every path, one after the other, as a workload in `cgroup`. */
async function executeAll(cgroup: string, paths: readonly Buffer[], folder: string): Promise<void> {
  const list = join(folder, 'list');
  writeFileSync(list, Buffer.concat(paths.flatMap((path) => [path, Buffer.from('\n')])));
  const script = 'while IFS= read -r program; do "$program" || exit 1; done <"$0"';
  const enter = 'echo 0 >"$1/cgroup.procs" && shift && exec /bin/sh "$@"';
  const child = spawn('/bin/sh', ['-c', enter, 'sh', cgroup, '-c', script, list], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
}

/** Path and hash of every program that the kernel told about, and whether it could be resolved. */
function executed(engine: Engine): { path: Buffer; hash: bigint; resolved: boolean }[] {
  const events: ReturnType<typeof executed> = [];
  engine.denyRing.drain(({ bytes, view }, offset) => {
    if (view.getUint32(offset + at.kind.offset, true) !== abi.eventKind.EVENT_EXEC) return;
    const length = view.getUint16(offset + at.path_length.offset, true);
    const start = offset + abi.event.size;
    events.push({
      path: Buffer.from(bytes.subarray(start, start + length)),
      hash: view.getBigUint64(offset + at.path_hash.offset, true),
      resolved: (view.getUint32(offset + at.flags.offset, true) & abi.eventFlags.EVENT_PATH_UNRESOLVED) === 0,
    });
  });
  return events;
}

describe.skipIf(missingForHost)(
  named('path__walk(), path__text() and path__hash() in the kernel', missingForHost),
  () => {
    it('tell the path of every program that is executed, and the hash that hash.ts gives for it', async () => {
      const folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-hash-')));
      using stack = new DisposableStack();
      stack.defer(() => rmSync(folder, { recursive: true, force: true }));
      const hashKey = randomHashKey();
      const ringBytes = 4 * 1024 * 1024;
      const engine = stack.use(
        new Engine({ backend: 'tracepoint', hashKey, denyRingBytes: ringBytes, auditRingBytes: 65536 }),
      );
      const registry = new WorkloadRegistry(engine);
      const cgroup = stack.use(makeCgroup());
      const record = { cgroup: cgroup.path, containerId: 'hash', namespace: 'test', pod: 'hash', container: 'hash' };
      registry.connect(registry.prepare(workloadSchema.parse({ ...record, hostMounts: true })));

      const paths = makePrograms(folder);
      await executeAll(cgroup.path, paths, folder);
      const events = executed(engine);
      const root = engine.ownRoot();
      const seen = (path: Buffer) =>
        (root === '/' ? path : Buffer.concat([Buffer.from(root), path])).toString('latin1');
      expect(events.map(({ path }) => path.toString('latin1')).slice(1)).toEqual(paths.map(seen));
      const hasher = new PathHasher(hashKey);
      const wrong = events.filter(({ path, hash, resolved }) => !resolved || hash !== hasher.hash(pathFromBytes(path)));
      expect(wrong.map(({ path }) => path.toString('latin1'))).toEqual([]);
      expect(events.length).toBeGreaterThan(500);
      expect(engine.counters()).toMatchObject({ ring_deny_lost: 0, path_unresolved: 0, scratch_busy: 0 });
    });
  },
);
