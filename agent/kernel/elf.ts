import { KernelError } from './error.ts';

const sectionHeaderBytes = 64;

/**
 * The bytes of one section of a little-endian ELF64 file, such as a BPF object; undefined when the file has no section of that name.
 *
 * @throws KernelError `bad-object` when the bytes are no such ELF file or a header points outside of it (System V ABI, chapter 4)
 */
export function readSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46) throw broken('it does not begin with the ELF signature');
  if (file[4] !== 2 || file[5] !== 1) throw broken('it is not a 64-bit little-endian ELF file');
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  const namesIndex = view.getUint16(62, true);
  if (view.getUint16(58, true) !== sectionHeaderBytes || table + count * sectionHeaderBytes > file.length)
    throw broken('its section table lies outside of the file');

  const section = (index: number): { nameOffset: number; bytes: Uint8Array } => {
    const at = table + index * sectionHeaderBytes;
    const nobits = view.getUint32(at + 4, true) === 8; // .bss: a size without bytes in the file
    const start = Number(view.getBigUint64(at + 24, true));
    const size = nobits ? 0 : Number(view.getBigUint64(at + 32, true));
    if (start + size > file.length) throw broken(`section ${index} lies outside of the file`);
    return { nameOffset: view.getUint32(at, true), bytes: file.subarray(start, start + size) };
  };

  if (namesIndex >= count) throw broken('it has no section names');
  const names = section(namesIndex).bytes;
  for (let index = 1; index < count; index++) {
    const { nameOffset, bytes } = section(index);
    if (readString(names, nameOffset) === name) return bytes;
  }
  return undefined;
}

/** The zero-terminated string at `offset` of a string table; an offset outside of the table is a broken object. */
export function readString(table: Uint8Array, offset: number): string {
  const end = offset < table.length ? table.indexOf(0, offset) : -1;
  if (end < 0) throw broken(`string offset ${offset} lies outside of its table`);
  return Buffer.from(table.buffer, table.byteOffset + offset, end - offset).toString('utf8');
}

function broken(found: string): KernelError {
  return new KernelError('bad-object', `the file is no BPF object: ${found}`);
}
