import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { parseObjectBtf } from '../../../agent/kernel/btf.ts';
import { readSection } from '../../../agent/kernel/elf.ts';
import { generateAbi } from '../../../agent/kernel/generate.ts';
import { findLayouts } from '../../../agent/kernel/layout.ts';
import { compileBpf, missingClang, named } from './compile.ts';

const root = new URL('../../../', import.meta.url);
const object = readFileSync(new URL('bpf/picket.bpf.o', root));
const header = readFileSync(new URL('bpf/abi.h', root), 'utf8');

const integers = `
  typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
  typedef signed char __s8; typedef short __s16; typedef int __s32; typedef long long __s64;`;

describe('generateAbi()', () => {
  it('gives agent/abi.gen.ts for the committed object', () => {
    expect(readFileSync(new URL('agent/abi.gen.ts', root), 'utf8')).toBe(generateAbi(object));
  });

  it('covers every struct and enum of abi.h', () => {
    const declared = [...header.matchAll(/^(?:struct|enum) (picket_\w+) \{/gm)].map((match) => match[1]);
    const { structs, enums } = findLayouts(parseObjectBtf(object), 'picket_');
    const known = new Set([...structs, ...enums].map((layout) => layout.name));
    expect(declared.length).toBeGreaterThan(15);
    expect(declared.filter((name) => name === undefined || !known.has(name))).toEqual([]);
  });

  it('carries the ABI number of abi.h', () => {
    expect(`${abi.ABI}`).toBe(/PICKET_ABI = (\d+)/.exec(header)?.[1]);
  });
});

/** What the compiler answers to constant expressions over abi.h: a second opinion that shares no code with the generator. */
function askCompiler(expressions: readonly string[]): bigint[] {
  const list = expressions.join(', ');
  const source = `${integers}\n${header}\nconst long long list[] __attribute__((section("answers"), used)) = { ${list} };`;
  const section = readSection(compileBpf(source), 'answers') ?? new Uint8Array(0);
  return [...new BigInt64Array(Uint8Array.from(section).buffer)];
}

describe.skipIf(missingClang)(named('abi.gen.ts', missingClang), () => {
  const modules: Record<string, unknown> = { ...abi };
  const cName = (name: string) => `picket_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;

  it('has the offsets and sizes that the compiler computes from abi.h', () => {
    const expected: Record<string, bigint> = {};
    for (const [name, layout] of Object.entries(modules)) {
      if (typeof layout !== 'object' || layout === null || !('fields' in layout)) continue;
      const struct = `struct ${cName(name)}`;
      const { size, fields } = layout as { size: number; fields: Record<string, { offset: number; size: number }> };
      expected[`sizeof(${struct})`] = BigInt(size);
      for (const [field, { offset, size }] of Object.entries(fields)) {
        expected[`__builtin_offsetof(${struct}, ${field})`] = BigInt(offset);
        expected[`sizeof(((${struct} *)0)->${field})`] = BigInt(size);
      }
    }
    const questions = Object.keys(expected);
    expect(questions.length).toBeGreaterThan(100);
    const answers = askCompiler(questions);
    expect(Object.fromEntries(questions.map((question, index) => [question, answers[index]]))).toEqual(expected);
  });

  it('has the enum values that the compiler computes from abi.h', () => {
    const enums = Object.values(modules).filter(
      (value) => typeof value === 'object' && value !== null && !('fields' in value),
    );
    const expected = enums.flatMap((values) => Object.entries(values as Record<string, number>));
    expect(expected.length).toBeGreaterThan(40);
    const answers = askCompiler(expected.map(([name]) => `PICKET_${name}`));
    expect(expected.map(([name], index) => [name, Number(answers[index])])).toEqual(expected);
  });
});

describe('generate.ts --check', () => {
  it('ends with 0 for the committed files, and with 1 for another object', () => {
    const run = (...values: string[]) =>
      execFileSync(process.execPath, [new URL('agent/kernel/generate.ts', root).pathname, '--check', ...values], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    run();
    const folder = mkdtempSync(join(tmpdir(), 'picket-abi-'));
    try {
      const other = join(folder, 'other.o');
      copyFileSync(new URL('bpf/picket.bpf.o', root), other);
      const bytes = readFileSync(other);
      // Lines of the source are there as well; a name by itself stands between zeros.
      const at = bytes.indexOf('\0PICKET_OPERATION_OPEN\0');
      bytes.write('PICKET_OPERATION_SHUT', at + 1);
      execFileSync('tee', [other], { input: bytes, stdio: ['pipe', 'ignore', 'pipe'] });
      expect(() => run(other)).toThrow(/run: node agent\/kernel\/generate.ts/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
