import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readProcess, readStart } from '../../../agent/event/proc.ts';

const children: ChildProcess[] = [];
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'picket-proc-')));
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function start(file: string, args: readonly string[], options: { cwd?: string; argv0?: string } = {}) {
  const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'ignore'], ...options });
  children.push(child);
  await once(child, 'spawn');
  return child as ChildProcess & { pid: number };
}

describe.skipIf(process.platform !== 'linux')('readProcess()', () => {
  const cat = realpathSync('/bin/cat');

  it('tells program, arguments, folder, user and parent of a living process', async () => {
    const child = await start('/bin/cat', ['-', '', 'last one'], { cwd: folder, argv0: 'other name' });
    const startNs = readStart(child.pid) ?? 0n;
    expect(readProcess(child.pid, startNs)).toEqual({
      pid: child.pid,
      vpid: child.pid,
      startNs,
      ppid: process.pid,
      parentStartNs: readStart(process.pid),
      uid: process.getuid?.(),
      executable: cat,
      args: ['-', '', 'last one'],
      argsTruncated: false,
      cwd: folder,
    });
  });

  it('takes an exact start within the hundredth of a second, and none outside of it', async () => {
    const child = await start('/bin/cat', []);
    const startNs = readStart(child.pid) ?? 0n;
    expect(readProcess(child.pid, startNs + 9_999_999n)?.startNs).toBe(startNs + 9_999_999n);
    expect(readProcess(child.pid, startNs + 10_000_000n)).toBeUndefined();
    expect(readProcess(child.pid, startNs - 1n)).toBeUndefined();
  });

  it('keeps the name of a program that was removed, and is not led astray by its name', async () => {
    const program = join(folder, 'a ) 1 (b');
    copyFileSync(cat, program);
    const child = await start(program, []);
    rmSync(program);
    expect(readProcess(child.pid, readStart(child.pid) ?? 0n)?.executable).toBe(program);
  });

  it('tells nothing of a process that ended, nor of a kernel thread', async () => {
    const child = await start('/bin/cat', []);
    const startNs = readStart(child.pid) ?? 0n;
    child.stdin?.end();
    await once(child, 'exit');
    expect([readProcess(child.pid, startNs), readStart(child.pid)]).toEqual([undefined, undefined]);
    if (/\(kthreadd\)/.test(readFileSync('/proc/2/stat', 'latin1')))
      expect(readProcess(2, readStart(2) ?? 0n)).toBeUndefined();
  });
});
