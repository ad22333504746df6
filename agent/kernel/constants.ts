import { type BtfType, resolveType, sizeOfType } from './btf.ts';
import { KernelError } from './error.ts';

interface Constant {
  offset: number;
  size: number;
}

/**
 * The `const volatile` globals of a BPF object (section .rodata), by name. The verifier knows their values and drops the branches
 * that they rule out, so they switch parts of the programs on and off at no cost.
 */
export class Constants {
  readonly #variables = new Map<string, Constant>();
  readonly #write: (change: (bytes: Uint8Array) => void) => void;

  /** `write` hands out the section's bytes to be changed and stores them. */
  constructor(types: readonly BtfType[], write: (change: (bytes: Uint8Array) => void) => void) {
    this.#write = write;
    const section = types.find((type) => type.kind === 'section' && type.name === '.rodata');
    if (section?.kind !== 'section') return;
    for (const { type, offset } of section.variables) {
      const variable = resolveType(types, type);
      if (variable.kind === 'variable')
        this.#variables.set(variable.name, { offset, size: sizeOfType(types, variable.type) });
    }
  }

  get names(): string[] {
    return [...this.#variables.keys()];
  }

  has(name: string): boolean {
    return this.#variables.has(name);
  }

  /**
   * Sets a constant. A number or bigint is stored in the width of the variable (1, 2, 4 or 8 bytes); bytes must have exactly its size.
   *
   * @throws KernelError `bad-object` when the object has no such constant, `failed` when the value does not fit or the object is loaded
   */
  set(name: string, value: number | bigint | boolean | Uint8Array): void {
    const constant = this.#variables.get(name);
    if (constant === undefined)
      throw new KernelError(
        'bad-object',
        `the BPF object has no constant ${name}; it has ${this.names.join(', ') || 'none'}`,
      );
    const bytes = value instanceof Uint8Array ? value : encode(name, BigInt(value), constant.size);
    if (bytes.byteLength !== constant.size)
      throw new KernelError('failed', `constant ${name} has ${constant.size} bytes, not ${bytes.byteLength}`);
    this.#write((section) => section.set(bytes, constant.offset));
  }
}

function encode(name: string, value: bigint, size: number): Uint8Array {
  const bits = size * 8;
  if (![1, 2, 4, 8].includes(size))
    throw new KernelError('failed', `constant ${name} has ${size} bytes: give it bytes, not a number`);
  if (BigInt.asUintN(bits, value) !== value && BigInt.asIntN(bits, value) !== value)
    throw new KernelError('failed', `constant ${name} has ${bits} bits, ${value} does not fit`);
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, BigInt.asUintN(64, value), true);
  return new Uint8Array(bytes.buffer, 0, size);
}
