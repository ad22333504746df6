import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
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
  {
    operation: 'fchmod',
    before: 'touch d/m',
    call: `os.fchmod(os.open("d/m", 0), 0o640)`,
    data: 'CHMOD',
    object: 'd/m',
  },
  {
    operation: 'fchown',
    before: 'touch d/m',
    call: `os.fchown(os.open("d/m", 0), 2, 2)`,
    data: 'CHOWN',
    object: 'd/m',
  },
  {
    operation: 'ftruncate', // of a file that was opened for writing before the rule was about its name
    before: 'rm -f ready d/g; touch g; { until test -e ready; do sleep 0.01; done; mv g d/g; } >/dev/null 2>&1 &',
    call: `fd = os.open("g", os.O_RDWR)
os.close(os.open("ready", os.O_CREAT | os.O_WRONLY))
while not os.path.exists("d/g"): time.sleep(0.01)
os.ftruncate(fd, 3)`,
    data: 'TRUNCATE',
    object: 'd/g',
  },
];

describe.skipIf(missingForHost)(named('changes of names and attributes, tracepoint backend', missingForHost), () => {
  let host: Host;
  beforeAll(async () => {
    host = await Host.make();
    await host.startCollector();
    await host.startAgent();
  });
  afterAll(() => host?.[Symbol.asyncDispose]());

  /** One process for each call, which lives on for so many seconds; how each ended, and what was told. */
  async function run(pod: string, spec: (folder: string) => object, seconds: number, labels = {}) {
    const folder = host.path(pod);
    mkdirSync(join(folder, 'd'), { recursive: true });
    symlinkSync('d', join(folder, 'link'));
    await host.apply({
      apiVersion: 'security.kubearmor.com/v1',
      kind: 'KubeArmorPolicy',
      metadata: { name: `late-${pod}`, namespace: 'demo' },
      spec: { selector: { matchLabels: { pod } }, ...spec(folder) },
    });
    const statuses: unknown[] = [];
    for (const { operation, call, before } of calls) {
      if (before !== undefined) execFileSync('/bin/sh', ['-c', before], { cwd: folder, stdio: 'ignore' });
      const script = `import os, time\nos.chdir("${folder}")\nat = os.open("d", 0)\n${call}\ntime.sleep(${seconds})\n`;
      const file = host.write(`${pod}.py`, script);
      const status = await host.runScript(`exec python3 ${file}`, { pod, labels: { pod, ...labels } });
      statuses.push([operation, status]);
    }
    const alerts = (await host.alerts(pod)).map(({ Data, Resource, Action, Result, Picket: { Flags } }) =>
      [Data, Resource?.slice(Resource.lastIndexOf(`/${pod}/`) + pod.length + 2), Action, Result, ...(Flags ?? [])].join(
        ' ',
      ),
    );
    return { folder, statuses, alerts };
  }

  /** Changes alone, so that nothing is said of the opens that come before. */
  const changes = (action: string) => (folder: string) => ({
    file: { matchDirectories: [{ dir: `${folder}/d/`, recursive: true, readOnly: true }] },
    action,
  });
  const told = (result: string, ...flags: string[]) =>
    calls.map(({ operation, data, object }) =>
      [`lsm=FILE_${data}`, object, result, ...(/^f[ct]/.test(operation) ? [] : ['path-late']), ...flags].join(' '),
    );
  const ended = (status: number) => calls.map(({ operation }) => [operation, status]);

  it('Block ends whoever made one, and tells of each once', async () => {
    const { folder, statuses, alerts } = await run('blocked', changes('Block'), 30);
    expect(statuses).toEqual(ended(killed));
    expect(alerts).toEqual(told('Block Killed'));
    expect(existsSync(join(folder, 'd/new'))).toBe(true); // it has happened
  });

  it('Audit tells of each and ends nobody', async () => {
    const { statuses, alerts } = await run('told', changes('Audit'), 0);
    expect(statuses).toEqual(ended(0));
    expect(alerts).toEqual(told('Audit Passed'));
  });

  it('an audited workload is not ended', async () => {
    const { statuses, alerts } = await run('audited', changes('Block'), 0.2, { 'io.cilium/app': 'x' });
    expect(statuses).toEqual(ended(0));
    expect(alerts).toEqual(told('Audit (Block) Passed', 'audited'));
  });

  it('a rule about something else does nothing', async () => {
    const other = (folder: string) => ({ file: { matchPaths: [{ path: `${folder}/d/other` }] }, action: 'Block' });
    const { statuses, alerts } = await run('spared', other, 0.2);
    expect(statuses).toEqual(ended(0));
    expect(alerts).toEqual([]);
  });
});
