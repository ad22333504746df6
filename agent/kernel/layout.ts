import { type BtfType, resolveType, sizeOfType } from './btf.ts';

/** Where one field of a struct lies; sizes in bytes. An array has its number of elements, `size` counts all of them. */
export interface Field {
  name: string;
  offset: number;
  size: number;
  count?: number;
  /** As C writes it, for people. */
  type: string;
}

export interface StructLayout {
  name: string;
  size: number;
  fields: Field[];
}

export interface EnumLayout {
  name: string;
  values: { name: string; value: bigint }[];
}

/** Every struct and enum whose name begins with the prefix, sorted by name: the numbering of BTF depends on the compiler. */
export function findLayouts(
  types: readonly BtfType[],
  prefix: string,
): { structs: StructLayout[]; enums: EnumLayout[] } {
  const structs = new Map<string, StructLayout>();
  const enums = new Map<string, EnumLayout>();
  for (const type of types) {
    if (type.kind === 'struct' && type.name.startsWith(prefix))
      structs.set(type.name, {
        name: type.name,
        size: type.size,
        fields: type.members.map((member) => toField(types, member.name, member.type, member.bitOffset)),
      });
    if (type.kind === 'enum' && type.name.startsWith(prefix))
      enums.set(type.name, { name: type.name, values: type.values });
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  return { structs: [...structs.values()].sort(byName), enums: [...enums.values()].sort(byName) };
}

function toField(types: readonly BtfType[], name: string, id: number, bitOffset: number): Field {
  const field: Field = { name, offset: bitOffset / 8, size: sizeOfType(types, id), type: describe(types, id) };
  const type = resolveType(types, id);
  return type.kind === 'array' ? { ...field, count: type.count } : field;
}

function describe(types: readonly BtfType[], id: number): string {
  const type = types[id];
  switch (type?.kind) {
    case 'alias':
      return type.name || describe(types, type.target);
    case 'int':
      return type.name;
    case 'struct':
    case 'union':
    case 'enum':
      return `${type.kind} ${type.name || '(anonymous)'}`;
    case 'array':
      return `${describe(types, type.element)}[${type.count}]`;
    case 'pointer':
      return 'pointer';
    default:
      return 'void';
  }
}
