/**
 * The bytes of an automaton: one or more parts, each a table or bit rows, one behind the other. Numbers are little endian, offsets count
 * from the part's beginning. bpf/glob.h runs them, match.ts does the same.
 *
 *     header    struct picket_automaton of bpf/abi.h
 *     classes   u8 by byte; bit rows: 512 of them, those from 256 on for a byte that stands behind a slash
 *     rows      table: u16 by state and class: the next state. Only states below `size` have a row; in the others nothing that is
 *               read can change the answer any more, so reading ends there.
 *               bits: by class: `size` pairs of u64, step mask and loop mask
 *     words     bits: u64: `size` of the start, `size` that accept, `size` that accept behind a slash
 *     accept    u16 by state, or by bit: accept id, 0: none
 */
export const forms = { table: 1, bits: 2 } as const;
export type Form = keyof typeof forms;

const headerBytes = 32;
const fields = { form: 0, bytes: 4, more: 8, size: 12, stride: 16, rows: 20, words: 24, accept: 28 } as const;

/** One part, parsed. */
export interface Part {
  form: Form;
  /** Table: states that have a row. Bits: words. */
  size: number;
  /** Classes of bytes. */
  classes: number;
  classOf: Uint8Array;
  rows: DataView;
  words: DataView;
  accept: DataView;
}

export interface PartContent {
  form: Form;
  size: number;
  classes: number;
  classOf: Uint8Array;
  rows: Uint16Array | BigUint64Array;
  words: BigUint64Array;
  accept: Uint16Array;
}

export function encodePart({ form, size, classes, classOf, rows, words, accept }: PartContent, more: boolean): Buffer {
  const rowsAt = headerBytes + classOf.length;
  const wordsAt = roundUp8(rowsAt + rows.byteLength);
  const acceptAt = wordsAt + words.byteLength;
  const bytes = Buffer.alloc(roundUp8(acceptAt + accept.byteLength));
  const header = {
    form: forms[form],
    bytes: bytes.length,
    more: Number(more),
    size,
    stride: form === 'table' ? classes : 16 * size,
    rows: rowsAt,
    words: wordsAt,
    accept: acceptAt,
  };
  for (const [name, offset] of Object.entries(fields)) bytes.writeUInt32LE(header[name as keyof typeof fields], offset);
  bytes.set(classOf, headerBytes);
  for (const [at, array] of [
    [rowsAt, rows],
    [wordsAt, words],
    [acceptAt, accept],
  ] as const) {
    for (const [i, value] of array.entries())
      if (typeof value === 'bigint') bytes.writeBigUInt64LE(value, at + 8 * i);
      else bytes.writeUInt16LE(value, at + 2 * i);
  }
  return bytes;
}

/** The form of the part that begins at `at`, undefined: none does. */
export function formOf(bytes: Uint8Array, at: number): Form | undefined {
  const number = bytes[at + fields.form];
  return (Object.keys(forms) as Form[]).find((name) => forms[name] === number);
}

/** Bytes of the automaton that begins at `at`: of all its parts. */
export function automatonBytes(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = at;
  let more = 1;
  while (more) {
    more = view.getUint32(end + fields.more, true);
    end += view.getUint32(end + fields.bytes, true);
  }
  return end - at;
}

export function* partsOf(automaton: Uint8Array): Generator<Part> {
  const view = new DataView(automaton.buffer, automaton.byteOffset, automaton.byteLength);
  for (let at = 0, more = 1; more; ) {
    const read = (name: keyof typeof fields) => view.getUint32(at + fields[name], true);
    const form = formOf(automaton, at);
    if (form === undefined) throw new Error(`an automaton has no form ${read('form')}`);
    const end = at + read('bytes');
    const slice = (from: number) => new DataView(view.buffer, view.byteOffset + at + from, end - at - from);
    yield {
      form,
      size: read('size'),
      classes: form === 'table' ? read('stride') : 0,
      classOf: automaton.subarray(at + headerBytes, at + read('rows')),
      rows: slice(read('rows')),
      words: slice(read('words')),
      accept: slice(read('accept')),
    };
    more = read('more');
    at = end;
  }
}

function roundUp8(bytes: number): number {
  return (bytes + 7) & ~7;
}
