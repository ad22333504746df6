import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const run = (program: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules', '.bin', program), args, {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
};

test('the types hold (tsc --noEmit)', { timeout: 180_000 }, () => {
  expect(run('tsc', '--noEmit')).toEqual({ status: 0, said: '' });
});

test('format and lint hold (biome check)', { timeout: 180_000 }, () => {
  const { status, said } = run('biome', 'check', '--error-on-warnings', '.');
  expect(status, said).toBe(0);
});
