import { readSection, readString } from './elf.ts';
import { KernelError } from './error.ts';

export interface Member {
  name: string;
  type: number;
  bitOffset: number;
}

/** One BTF type; only the kinds that a data layout needs are told apart, the rest keeps its place as `other`. */
export type BtfType =
  | { kind: 'int'; name: string; size: number; signed: boolean }
  | { kind: 'pointer' }
  | { kind: 'array'; element: number; count: number }
  | { kind: 'struct' | 'union'; name: string; size: number; members: Member[] }
  | { kind: 'enum'; name: string; size: number; values: { name: string; value: bigint }[] }
  | { kind: 'alias'; name: string; target: number } // typedef, const, volatile, restrict, type tag
  | { kind: 'variable'; name: string; type: number }
  | { kind: 'section'; name: string; size: number; variables: { type: number; offset: number; size: number }[] }
  | { kind: 'other' };

const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/**
 * The types of a blob of BTF, by their number; number 0 is void.
 *
 * ```
 * header  magic u16 0xeb9f | version u8 | flags u8 | header bytes u32 | types offset, bytes u32 | strings offset, bytes u32
 * type    name offset u32 | info u32: count 0..15, kind 24..28, flag 31 | size or type u32 | count × what the kind needs
 * ```
 * Source: Documentation/bpf/btf.rst.
 *
 * @throws KernelError `bad-object` when the blob is cut short or holds an unknown kind
 */
export function parseBtf(bytes: Uint8Array): BtfType[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return readTypes(view, bytes);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new KernelError('bad-object', 'the type information (BTF) is cut short', { cause });
    throw cause;
  }
}

/** The types of an ELF file's .BTF section, as the compiler wrote them: offsets of global variables are still zero there. */
export function parseObjectBtf(file: Uint8Array): BtfType[] {
  const section = readSection(file, '.BTF');
  if (section === undefined)
    throw new KernelError('bad-object', 'the object has no type information: build it with clang -g');
  return parseBtf(section);
}

function readTypes(view: DataView, bytes: Uint8Array): BtfType[] {
  if (view.getUint16(0, true) !== 0xeb9f)
    throw new KernelError('bad-object', 'the type information does not begin with the BTF signature');
  const headerBytes = view.getUint32(4, true);
  const typesStart = headerBytes + view.getUint32(8, true);
  const typesEnd = typesStart + view.getUint32(12, true);
  const stringsStart = headerBytes + view.getUint32(16, true);
  const strings = bytes.subarray(stringsStart, stringsStart + view.getUint32(20, true));

  const types: BtfType[] = [{ kind: 'other' }];
  for (let at = typesStart; at < typesEnd; ) {
    const name = readString(strings, view.getUint32(at, true));
    const info = view.getUint32(at + 4, true);
    const sizeOrType = view.getUint32(at + 8, true);
    const count = info & 0xffff;
    const flag = info >>> 31 === 1;
    at += 12;
    const u32 = (index: number) => view.getUint32(at + index * 4, true);

    switch ((info >>> 24) & 0x1f) {
      case kinds.int:
        types.push({ kind: 'int', name, size: sizeOrType, signed: ((u32(0) >>> 24) & 1) === 1 });
        at += 4;
        break;
      case kinds.pointer:
        types.push({ kind: 'pointer' });
        break;
      case kinds.array:
        types.push({ kind: 'array', element: u32(0), count: u32(2) });
        at += 12;
        break;
      case kinds.struct:
      case kinds.union: {
        const kind = ((info >>> 24) & 0x1f) === kinds.struct ? 'struct' : 'union';
        const members: Member[] = [];
        for (let i = 0; i < count; i++) {
          const offset = u32(i * 3 + 2);
          const member = readString(strings, u32(i * 3));
          if (flag && offset >>> 24 !== 0)
            throw new KernelError('bad-object', `${kind} ${name}: ${member} is a bit field, which has no byte offset`);
          members.push({ name: member, type: u32(i * 3 + 1), bitOffset: offset & (flag ? 0xffffff : 0xffffffff) });
        }
        types.push({ kind, name, size: sizeOrType, members });
        at += count * 12;
        break;
      }
      case kinds.enum: {
        const values = [];
        for (let i = 0; i < count; i++) {
          // The flag tells signed values; compilers before clang 15 never set it, and negative values then read as unsigned.
          const value = flag ? view.getInt32(at + i * 8 + 4, true) : u32(i * 2 + 1);
          values.push({ name: readString(strings, u32(i * 2)), value: BigInt(value) });
        }
        types.push({ kind: 'enum', name, size: sizeOrType, values });
        at += count * 8;
        break;
      }
      case kinds.enum64: {
        const values = [];
        for (let i = 0; i < count; i++) {
          const value = (BigInt(u32(i * 3 + 2)) << 32n) | BigInt(u32(i * 3 + 1));
          values.push({ name: readString(strings, u32(i * 3)), value: flag ? BigInt.asIntN(64, value) : value });
        }
        types.push({ kind: 'enum', name, size: sizeOrType, values });
        at += count * 12;
        break;
      }
      case kinds.typedef:
      case kinds.volatile:
      case kinds.const:
      case kinds.restrict:
      case kinds.typeTag:
        types.push({ kind: 'alias', name, target: sizeOrType });
        break;
      case kinds.variable:
        types.push({ kind: 'variable', name, type: sizeOrType });
        at += 4;
        break;
      case kinds.section: {
        const variables = [];
        for (let i = 0; i < count; i++)
          variables.push({ type: u32(i * 3), offset: u32(i * 3 + 1), size: u32(i * 3 + 2) });
        types.push({ kind: 'section', name, size: sizeOrType, variables });
        at += count * 12;
        break;
      }
      case kinds.prototype:
        types.push({ kind: 'other' });
        at += count * 8;
        break;
      case kinds.declarationTag:
        types.push({ kind: 'other' });
        at += 4;
        break;
      case kinds.forward:
      case kinds.function:
      case kinds.float:
        types.push({ kind: 'other' });
        break;
      default:
        throw new KernelError('bad-object', `unknown kind ${(info >>> 24) & 0x1f} of BTF type ${types.length}`);
    }
  }
  return types;
}

/** The type behind typedefs, const and volatile. */
export function resolveType(types: readonly BtfType[], id: number): BtfType {
  for (let depth = 0; depth < 32; depth++) {
    const type = types[id];
    if (type === undefined) throw new KernelError('bad-object', `BTF type ${id} does not exist`);
    if (type.kind !== 'alias') return type;
    id = type.target;
  }
  throw new KernelError('bad-object', `BTF type ${id} is an alias of itself`);
}

/** Bytes that a value of the type takes. */
export function sizeOfType(types: readonly BtfType[], id: number): number {
  const type = resolveType(types, id);
  switch (type.kind) {
    case 'int':
    case 'struct':
    case 'union':
    case 'enum':
      return type.size;
    case 'pointer':
      return 8;
    case 'array':
      return type.count * sizeOfType(types, type.element);
    default:
      throw new KernelError('bad-object', `BTF type ${id} (${type.kind}) has no size`);
  }
}
