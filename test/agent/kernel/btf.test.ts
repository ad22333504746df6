import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBtf, parseObjectBtf, resolveType, sizeOfType } from '../../../agent/kernel/btf.ts';
import { readSection } from '../../../agent/kernel/elf.ts';
import { KernelError } from '../../../agent/kernel/error.ts';
import { findLayouts } from '../../../agent/kernel/layout.ts';
import { compileBpf, missingClang, named } from './compile.ts';

const object = readFileSync(new URL('../../../bpf/picket.bpf.o', import.meta.url));

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'nothing was thrown';
  } catch (error) {
    return error instanceof KernelError ? error.code : `${error}`;
  }
}

describe('readSection()', () => {
  it('gives the license section of the built object', () => {
    expect(Buffer.from(readSection(object, 'license') ?? []).toString()).toBe('GPL\0');
  });

  it('gives undefined for a section that is not there', () => {
    expect(readSection(object, '.no-such-section')).toBeUndefined();
  });

  it.each([
    ['an empty file', new Uint8Array(0)],
    ['text', Buffer.from('kind: KubeArmorPolicy\n'.repeat(10))],
    ['a 32-bit file', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(100)])],
    ['a file cut off before its section table', object.subarray(0, 1000)],
  ])('refuses %s as bad-object', (_, bytes) => {
    expect(codeOf(() => readSection(bytes, '.BTF'))).toBe('bad-object');
  });
});

describe('parseBtf()', () => {
  const section = readSection(object, '.BTF') ?? new Uint8Array(0);

  it('refuses a blob cut at any length as bad-object', () => {
    const cuts = fc.integer({ min: 0, max: section.length - 1 });
    fc.assert(fc.property(cuts, (length) => codeOf(() => parseBtf(section.subarray(0, length))) === 'bad-object'));
  });

  it('throws nothing but bad-object for a blob with changed bytes, and ends', () => {
    const change = fc.tuple(fc.integer({ min: 0, max: section.length - 1 }), fc.integer({ min: 0, max: 255 }));
    const changes = fc.array(change, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, (list) => {
        const bytes = section.slice();
        for (const [at, value] of list) bytes[at] = value;
        return ['bad-object', 'nothing was thrown'].includes(codeOf(() => findLayouts(parseBtf(bytes), 'picket_')));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a type that is an alias of itself', () => {
    const types = [{ kind: 'other' } as const, { kind: 'alias', name: 'a', target: 1 } as const];
    expect(() => resolveType(types, 1)).toThrow(/alias of itself/);
    expect(() => sizeOfType(types, 7)).toThrow(/does not exist/);
  });
});

describe.skipIf(missingClang)(named('parseObjectBtf()', missingClang), () => {
  it('reads structs, unions, arrays, typedefs, enums of 32 bits as the compiler lays them out', () => {
    const types = parseObjectBtf(
      compileBpf(`
        typedef unsigned int u32;
        enum picket_color { PICKET_RED, PICKET_BLUE = 7, PICKET_HIGH = 0x80000000 };
        struct picket_inner { unsigned char a; const volatile u32 b; };
        struct picket_outer { struct picket_inner list[3]; union { long l; char c[5]; } u; void *p; enum picket_color color; };
        struct picket_outer outer;`),
    );
    expect(findLayouts(types, 'picket_')).toEqual({
      structs: [
        {
          name: 'picket_inner',
          size: 8,
          fields: [
            { name: 'a', offset: 0, size: 1, type: 'unsigned char' },
            { name: 'b', offset: 4, size: 4, type: 'u32' },
          ],
        },
        {
          name: 'picket_outer',
          size: 48,
          fields: [
            { name: 'list', offset: 0, size: 24, count: 3, type: 'struct picket_inner[3]' },
            { name: 'u', offset: 24, size: 8, type: 'union (anonymous)' },
            { name: 'p', offset: 32, size: 8, type: 'pointer' },
            { name: 'color', offset: 40, size: 4, type: 'enum picket_color' },
          ],
        },
      ],
      enums: [
        {
          name: 'picket_color',
          values: [
            { name: 'PICKET_RED', value: 0n },
            { name: 'PICKET_BLUE', value: 7n },
            { name: 'PICKET_HIGH', value: 0x8000_0000n },
          ],
        },
      ],
    });
  });

  it('names bit fields as something it cannot lay out', () => {
    const file = compileBpf('struct picket_bits { unsigned a : 3; unsigned b : 5; } bits;');
    expect(() => parseObjectBtf(file)).toThrow(/picket_bits: a is a bit field/);
  });

  it('says how to build an object that has no type information', () => {
    expect(() => parseObjectBtf(compileBpf('int a;', { types: false }))).toThrow(/clang -g/);
  });
});
