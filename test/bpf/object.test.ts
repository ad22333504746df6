import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateAbi } from '../../agent/kernel/generate.ts';

const bpf = new URL('../../bpf/', import.meta.url).pathname;
const committed = readFileSync(join(bpf, 'picket.bpf.o'));

/** What is missing for building the object, or undefined: another compiler makes other bytes. */
const missing = ['clang-14', 'llvm-strip-14'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
const name = 'bpf/build.sh';

describe.skipIf(missing)(
  missing ? `${name} (missing: ${missing} of Debian 12: apt-get install clang llvm)` : name,
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
      const built = readFileSync(join(elsewhere, 'picket.bpf.o'));
      // Not toEqual(): its message would be four hundred thousand numbers.
      expect(committed.equals(built), 'run bpf/build.sh, then node agent/kernel/generate.ts, and commit both').toBe(
        true,
      );
    });

    it('writes to the place that it is given, relative to where it is called', () => {
      execFileSync(join(bpf, 'build.sh'), ['given.o'], { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'] });
      expect(readFileSync(join(folder, 'given.o')).equals(committed)).toBe(true);
    });
  },
);

describe('bpf/picket.bpf.o', () => {
  it('tells the layouts of agent/abi.gen.ts', () => {
    const written = readFileSync(new URL('../../agent/abi.gen.ts', import.meta.url), 'utf8');
    expect(generateAbi(committed)).toBe(written);
  });

  it('names no folder of the machine that built it', () => {
    // File names in the type information begin with a slash after a closing zero.
    expect(committed.toString('latin1')).not.toMatch(/\0\/(?!proc\/|sys\/)[\w.-]+\/[\w./-]+\0/);
  });
});
