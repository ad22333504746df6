import { closeSync } from 'node:fs';
import { KernelError } from './error.ts';
import { addressOf, call } from './libbpf.ts';

/** enum bpf_prog_type and bpf_attach_type, as far as probes use them. */
export const programTypes = {
  lsm: { type: 29, attach: 27 },
  tracepoint: { type: 26, attach: 23 }, // tracing, raw tracepoint with types
} as const;

export interface Instruction {
  /** BPF_CLASS | BPF_OP | BPF_SRC, see Documentation/bpf/standardization/instruction-set.rst */
  op: number;
  dst?: number;
  src?: number;
  off?: number;
  imm?: number;
}

const logBytes = 64 * 1024;

/**
 * A program of a few instructions written by hand, loaded without a compiler or an object: for finding out what the kernel accepts.
 *
 * @throws KernelError `rejected` with the verifier's last line, or what the kernel answered
 */
export class SmallProgram implements Disposable {
  readonly name: string;
  #fd: number;
  #link = -1;

  constructor(name: string, kind: keyof typeof programTypes, hookId: number, instructions: readonly Instruction[]) {
    this.name = name;
    const { type, attach } = programTypes[kind];
    const log = Buffer.alloc(logBytes);
    // struct bpf_prog_load_opts of libbpf 1.1 up to log_buf. Log level 0: libbpf asks for the log only after a failure.
    const options = new DataView(new ArrayBuffer(104));
    options.setBigUint64(0, 104n, true);
    options.setUint32(12, attach, true);
    options.setUint32(32, hookId, true);
    options.setUint32(92, log.byteLength, true);
    options.setBigUint64(96, addressOf(log), true);
    const code = assemble(instructions);
    const tried = `loading program ${name}`;
    try {
      const bytes = new Uint8Array(options.buffer);
      this.#fd = call('bpf_prog_load', tried, type, name.slice(0, 15), 'GPL', code, instructions.length, bytes);
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause;
      const lines = log
        .toString('utf8', 0, Math.max(0, log.indexOf(0)))
        .trimEnd()
        .split('\n');
      const last = lines.filter((line) => !line.startsWith('processed ')).at(-1) ?? '';
      if (last === '') throw cause;
      throw new KernelError('rejected', `${cause.message}; the verifier says: ${last}`, {
        errno: cause.errno,
        log: last,
      });
    }
  }

  /** Puts the program on its hook until it is closed. */
  attach(): void {
    this.#link = call('bpf_raw_tracepoint_open', `attaching program ${this.name}`, null, this.#fd);
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#link, this.#fd]) if (fd >= 0) closeSync(fd);
    this.#link = -1;
    this.#fd = -1;
  }
}

function assemble(instructions: readonly Instruction[]): Uint8Array {
  const code = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(({ op, dst = 0, src = 0, off = 0, imm = 0 }, index) => {
    code.setUint8(index * 8, op);
    code.setUint8(index * 8 + 1, dst | (src << 4));
    code.setInt16(index * 8 + 2, off, true);
    code.setInt32(index * 8 + 4, imm, true);
  });
  return new Uint8Array(code.buffer);
}

/** The instructions that probes are made of. */
export const instructions = {
  /** r = number */
  set: (register: number, value: number): Instruction => ({ op: 0xb7, dst: register, imm: value }),
  /** r = address of the first value of an array map; two instructions wide */
  mapValue: (register: number, fd: number): Instruction[] => [
    { op: 0x18, dst: register, src: 2, imm: fd },
    { op: 0, imm: 0 },
  ],
  /** to = from */
  copy: (to: number, from: number): Instruction => ({ op: 0xbf, dst: to, src: from }),
  /** r += number */
  add: (register: number, value: number): Instruction => ({ op: 0x07, dst: register, imm: value }),
  /** *(u64 *)(address + off) = r */
  store: (address: number, off: number, register: number): Instruction => ({
    op: 0x7b,
    dst: address,
    src: register,
    off,
  }),
  call: (helper: number): Instruction => ({ op: 0x85, imm: helper }),
  exit: { op: 0x95 } as Instruction,
};
