import { closeSync } from 'node:fs';
import { KernelError } from './error.ts';
import { addressOf, call } from './libbpf.ts';
import { programTypes } from './program.ts';

/** BPF_TRACE_FENTRY and BPF_TRACE_FEXIT of enum bpf_attach_type. */
const attachTypes = { begin: 24, end: 25 } as const;
export type GateKind = keyof typeof attachTypes;

/** Where a gate is put. */
export interface GatePlace {
  kind: GateKind;
  /** A function of the kernel. */
  fn: string;
  /** Its number in the kernel's types. */
  id: number;
  /** Number of its prototype. */
  prototype: number;
  /** What the program is told with each call. */
  cookie: number;
}

/**
 * A program put on one function of the kernel: instructions that libbpf has prepared once, loaded again for this function. It acts
 * until the gate is closed, or, when its link is pinned, until the pin is gone as well.
 *
 * @throws KernelError from the constructor when the kernel refuses it
 */
export class Gate implements Disposable {
  #link: number;

  constructor({ kind, fn, id, cookie }: GatePlace, instructions: Uint8Array) {
    const type = attachTypes[kind];
    // struct bpf_prog_load_opts and struct bpf_link_create_opts of libbpf 1.1, up to the fields that are used.
    const load = new DataView(new ArrayBuffer(104));
    load.setBigUint64(0, 104n, true);
    load.setUint32(12, type, true);
    load.setUint32(32, id, true);
    const log = Buffer.alloc(16 * 1024); // filled by libbpf after a refusal
    load.setUint32(92, log.byteLength, true);
    load.setBigUint64(96, addressOf(log), true);
    const create = new DataView(new ArrayBuffer(64));
    create.setBigUint64(0, 64n, true);
    create.setBigUint64(32, BigInt(cookie), true);
    const program = this.#load(kind, fn, instructions, new Uint8Array(load.buffer), log);
    try {
      this.#link = call('bpf_link_create', `attaching to ${fn}`, program, 0, type, new Uint8Array(create.buffer));
    } finally {
      closeSync(program); // the link holds it
    }
  }

  get fd(): number {
    return this.#link;
  }

  #load(kind: GateKind, fn: string, instructions: Uint8Array, options: Uint8Array, log: Buffer): number {
    const { type } = programTypes.tracepoint;
    const tried = `loading a program for ${fn}`;
    try {
      const count = instructions.byteLength / 8;
      return call('bpf_prog_load', tried, type, `picket_${kind}`, 'GPL', instructions, count, options);
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause;
      const text = log.toString('latin1', 0, Math.max(0, log.indexOf(0))).trim();
      const last = text.split('\n').findLast((line) => !line.startsWith('processed ')) ?? '';
      if (last === '') throw cause;
      const message = `${cause.message}; the verifier says: ${last}`;
      throw new KernelError('rejected', message, { errno: cause.errno, log: text, cause });
    }
  }

  [Symbol.dispose](): void {
    if (this.#link >= 0) closeSync(this.#link);
    this.#link = -1;
  }
}
