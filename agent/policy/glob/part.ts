import { automatonForm, automaton as layout } from '../../abi.gen.ts';

/** Numbers of the forms in the arena; 0 is no part. */
export const forms = { table: automatonForm.AUTOMATON_TABLE, bits: automatonForm.AUTOMATON_BITS } as const;
export type Form = keyof typeof forms;

const { fields, size: headerBytes } = layout;
type FieldName = keyof typeof fields;

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

/**
 * The bytes of a part: `struct picket_automaton` of bpf/abi.h, which tells what they mean, and what belongs to it. An automaton is one
 * or more of them, one behind the other.
 */
export function encodePart({ form, size, classes, classOf, rows, words, accept }: PartContent, more: boolean): Buffer {
  const rowsAt = headerBytes + classOf.length;
  const wordsAt = roundUp8(rowsAt + rows.byteLength);
  const acceptAt = wordsAt + words.byteLength;
  const bytes = Buffer.alloc(roundUp8(acceptAt + accept.byteLength));
  const header: Record<FieldName, number> = {
    form: forms[form],
    bytes: bytes.length,
    more: Number(more),
    size,
    stride: form === 'table' ? classes : 16 * size,
    rows: rowsAt,
    words: wordsAt,
    accept: acceptAt,
  };
  for (const name of Object.keys(fields) as FieldName[]) bytes.writeUInt32LE(header[name], fields[name].offset);
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
  const number = bytes[at + fields.form.offset];
  return (Object.keys(forms) as Form[]).find((name) => forms[name] === number);
}

/** Bytes of the automaton that begins at `at`: of all its parts. */
export function automatonBytes(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = at;
  let more = 1;
  while (more) {
    more = view.getUint32(end + fields.more.offset, true);
    end += view.getUint32(end + fields.bytes.offset, true);
  }
  return end - at;
}

export function* partsOf(automaton: Uint8Array): Generator<Part> {
  const view = new DataView(automaton.buffer, automaton.byteOffset, automaton.byteLength);
  for (let at = 0, more = 1; more; ) {
    const read = (name: FieldName) => view.getUint32(at + fields[name].offset, true);
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
