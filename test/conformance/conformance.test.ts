import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../scale.ts';
import { reasonWithoutContainers } from './machine.ts';

const kernels = isLong ? ['6.1', '6.12'] : ['6.1'];

/** The runner as `picket policy test` starts it. */
function runRunner(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

describe('picket policy test', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'picket-cases-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.for(kernels)('the cases of the first policies pass in the %s guest', { timeout: 600_000 }, async (kernel) => {
    const junit = join(folder, 'results.xml');
    const cases = join(import.meta.dirname, 'cases');
    const result = await runRunner(cases, '--kernel', kernel, '--only', 'seed-{01,07,10}-*', '--junit', junit);
    const lines = result.stdout.trimEnd().split('\n');
    expect(lines.at(-1), result.stdout + result.stderr).toBe('3 passed, 0 failed, 0 skipped');
    expect(lines.slice(0, -1)).toEqual(
      ['seed-01-proc-path-block', 'seed-07-file-dir-recursive-block', 'seed-10-syscall-unlink-all'].map((name) =>
        expect.stringMatching(new RegExp(`^ok   ${name} \\(\\d+\\.\\d s\\)$`)),
      ),
    );
    expect(result.status).toBe(0);
    expect(readFileSync(junit, 'utf8')).toContain('<testsuites tests="3" failures="0" errors="0" skipped="0"');
  });

  test('a case that does not hold fails, a broken file fails, one that needs a guest is skipped, each by name', async ({
    skip,
  }) => {
    const reason = await reasonWithoutContainers();
    skip(reason !== undefined, reason);
    const file = (name: string, text: string) =>
      writeFile(join(folder, `${name}.yaml`), `case: ${name}\nabout: x\n${text}`);
    await file('wrong', 'policies: []\nsteps:\n- {in: ubuntu-1, run: cat /secret.txt, expect: denied}\n');
    await file(
      'silent',
      'policies: []\nsteps:\n- {in: ubuntu-1, run: "true", expect: allowed, alerts: [{PolicyName: none}]}\n',
    );
    await file(
      'right',
      'policies: []\nsteps:\n- {in: ubuntu-1, exec: [cat, /secret.txt], expect: allowed, output: ^secret file$}\n',
    );
    await file('broken', 'policies: []\nsteps: []\n');
    await file('later', 'policies: []\nsteps:\n- {in: host, run: "true", expect: allowed}\n');
    const { status, stdout } = await runRunner(folder, '--kernel', 'host');
    const line = (name: string) => stdout.split('\n').find((text) => text.slice(5).startsWith(`${name} `));
    expect(line('wrong')).toMatch(/^FAIL/);
    expect(stdout).toContain(
      'step 1, in ubuntu-1: cat /secret.txt\n       expected denied, exit status is 0; output: "secret file\\n"',
    );
    expect(line('silent')).toMatch(/^FAIL/);
    expect(stdout).toContain('no alert meets {"PolicyName":"none"}');
    expect(line('right')).toMatch(/^ok /);
    expect(line('broken')).toMatch(/^FAIL/);
    expect(stdout).toContain(`${folder}/broken.yaml:4: steps: `);
    expect(line('later')).toMatch(/^skip later \(0\.0 s\): needs host$/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 3 failed, 1 skipped');
    expect(status).toBe(1);
  });

  test('a folder or name without cases is a usage error', async () => {
    expect(await runRunner(folder, '--only', 'nothing-*')).toMatchObject({ status: 2, stdout: '' });
    expect((await runRunner(join(folder, 'none'))).status).not.toBe(0);
    expect((await runRunner(folder, '--kernel', '5.4')).status).toBe(2);
  });
});
