import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateAbi } from '../../agent/kernel/generate.ts';

const bpf = new URL('../../bpf/', import.meta.url).pathname;
const names = ['picket.bpf.o', 'call.bpf.o'];
const committed = (name: string) => readFileSync(join(bpf, name));

/** What is missing for building the object, or undefined: another compiler makes other bytes. */
const missing = ['clang-14', 'llvm-strip-14'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
const script = 'bpf/build.sh';

describe.skipIf(missing)(
  missing ? `${script} (missing: ${missing} of Debian 12: apt-get install clang llvm)` : script,
  () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'picket-object-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('makes the committed object byte for byte, from wherever the sources lie', () => {
      const elsewhere = join(folder, 'another', 'checkout', 'bpf');
      cpSync(bpf, elsewhere, { recursive: true, filter: (path) => !path.endsWith('.o') });
      execFileSync(join(elsewhere, 'build.sh'), { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] });
      for (const name of names) {
        const built = readFileSync(join(elsewhere, name));
        // Not toEqual(): its message would be four hundred thousand numbers.
        expect(
          committed(name).equals(built),
          `run bpf/build.sh, then node agent/kernel/generate.ts; commit ${name}`,
        ).toBe(true);
      }
    });

    it('builds for arm64 too, with nothing of x86-64 in it', () => {
      const arm = join(folder, 'arm64');
      mkdirSync(arm);
      const env = { ...process.env, PICKET_ARCH: 'arm64' };
      execFileSync(join(bpf, 'build.sh'), [arm], { env, stdio: ['ignore', 'inherit', 'pipe'] });
      const text = names.map((name) => readFileSync(join(arm, name)).toString('latin1')).join('');
      expect(text).toContain('__arm64_sys_read');
      expect(text).not.toMatch(/__x64_sys|orig_ax/);
    });

    it('writes to the folder that it is given, relative to where it is called', () => {
      mkdirSync(join(folder, 'given'));
      execFileSync(join(bpf, 'build.sh'), ['given'], { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] });
      for (const name of names) expect(readFileSync(join(folder, 'given', name)).equals(committed(name))).toBe(true);
    });
  },
);

describe('what is committed', () => {
  it('tells the layouts of agent/abi.gen.ts', () => {
    const written = readFileSync(new URL('../../agent/abi.gen.ts', import.meta.url), 'utf8');
    expect(generateAbi(committed('picket.bpf.o'))).toBe(written);
  });

  it.each(names)('names no folder of the machine that built it: %s', (name) => {
    // File names in the type information begin with a slash after a closing zero.
    expect(committed(name).toString('latin1')).not.toMatch(/\0\/(?!proc\/|sys\/)[\w.-]+\/[\w./-]+\0/);
  });
});
