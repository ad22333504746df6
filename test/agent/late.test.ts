import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host, missingForHost } from './host.ts';
import { named } from './kernel/compile.ts';

const killed = 128 + 9;

/** Python's calls are the system's, and after each the process is still there to be ended. */
const calls: readonly { operation: string; before?: string; call: string; data: string; object: string }[] = [
  { operation: 'unlink', before: 'touch d/f', call: 'os.unlink("d/f")', data: 'UNLINK', object: 'd/f' },
  { operation: 'unlinkat', before: 'touch d/f', call: 'os.unlink("f", dir_fd=at)', data: 'UNLINK', object: 'd/f' },
  { operation: 'rmdir', before: 'mkdir d/s', call: 'os.rmdir("d/s")', data: 'RMDIR', object: 'd/s' },
  { operation: 'mkdir', call: 'os.mkdir("link/new")', data: 'MKDIR', object: 'd/new' },
  { operation: 'mknod', call: 'os.mkfifo("d/p")', data: 'MKNOD', object: 'd/p' },
  { operation: 'symlink', call: 'os.symlink("/x", "d/l")', data: 'SYMLINK', object: 'd/l' },
  { operation: 'link, new name', before: 'touch a', call: 'os.link("a", "d/n")', data: 'LINK', object: 'd/n' },
  { operation: 'link, old name', before: 'touch d/o', call: 'os.link("d/o", "b")', data: 'LINK', object: 'd/o' },
  { operation: 'rename away', before: 'touch d/o', call: 'os.rename("d/o", "c")', data: 'RENAME', object: 'd/o' },
  { operation: 'rename into', before: 'touch e', call: 'os.rename("e", "d/r")', data: 'RENAME', object: 'd/r' },
  { operation: 'chmod', before: 'touch d/m', call: 'os.chmod("d/m", 0o600)', data: 'CHMOD', object: 'd/m' },
  { operation: 'chown', before: 'touch d/m', call: 'os.chown("d/m", 1, 1)', data: 'CHOWN', object: 'd/m' },
  { operation: 'truncate', before: 'touch d/m', call: 'os.truncate("d/m", 0)', data: 'TRUNCATE', object: 'd/m' },
  { operation: 'fchmod', before: 'touch d/m', call: 'os.fchmod(7, 0o640)', data: 'CHMOD', object: 'd/m' },
  { operation: 'fchown', before: 'touch d/m', call: 'os.fchown(7, 2, 2)', data: 'CHOWN', object: 'd/m' },
  { operation: 'ftruncate', before: 'touch d/m', call: 'os.ftruncate(7, 3)', data: 'TRUNCATE', object: 'd/m' },
];

describe.skipIf(missingForHost)(named('changes of names and attributes, tracepoint backend', missingForHost), () => {
  let host: Host;
  beforeAll(async () => {
    host = await Host.make();
    await host.startCollector();
    await host.startAgent();
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  /** One process for each call, which waits to be killed; what became of each. */
  async function run(pod: string, action: string, annotations: Record<string, string> = {}, wait = 1) {
    const folder = host.path(pod);
    mkdirSync(`${folder}/d`, { recursive: true });
    mkdirSync(`${folder}/elsewhere`);
    symlinkSync('d', `${folder}/link`);
    // Changes alone: opens, and what stands before the calls, are reads or done outside.
    await host.apply({
      apiVersion: 'security.kubearmor.com/v1',
      kind: 'KubeArmorPolicy',
      metadata: { name: `late-${pod}`, namespace: 'demo' },
      spec: {
        selector: { matchLabels: { pod } },
        file: { matchDirectories: [{ dir: `${folder}/d/`, recursive: true, readOnly: true }] },
        action,
      },
    });
    const statuses: number[] = [];
    for (const { call, before } of calls) {
      const { execFileSync } = await import('node:child_process');
      if (before !== undefined) execFileSync('/bin/sh', ['-c', before], { cwd: folder });
      const needs = call.includes('(7,');
      if (needs) writeFileSync(`${folder}/d/m`, 'x');
      const open = 'at = os.open("d", os.O_RDONLY)\n';
      const script = `import os, time\nos.chdir("${folder}")\n${open}${call}\ntime.sleep(${wait})\n`;
      writeFileSync(`${folder}/script.py`, script);
      // ftruncate needs a descriptor for writing, from outside.
      const workload = { pod, container: pod, labels: { pod }, annotations };
      statuses.push(
        await host.runScript(`exec python3 ${folder}/script.py ${needs ? `7<>${folder}/d/m` : ''}`, workload),
      );
    }
    const alerts = await host.alerts(pod);
    return { folder, statuses, alerts };
  }

  it('Block ends whoever made one, and tells', async () => {
    const { folder, statuses, alerts } = await run('blocked', 'Block', {}, 30);
    expect(calls.map(({ operation }, i) => [operation, statuses[i]])).toEqual(
      calls.map(({ operation }) => [operation, killed]),
    );
    const seen = alerts.map(({ Data, Resource, Action, Result }) => [
      Data,
      Resource?.replace(/.*\/blocked\//, ''),
      Action,
      Result,
    ]);
    for (const { call, data, object } of calls.filter((each) => !each.call.includes('(7,')))
      expect(seen, call).toContainEqual([`lsm=FILE_${data}`, object, 'Block', 'Killed']);
    expect(existsSync(`${folder}/d/new`)).toBe(true); // it had happened
  });
});
