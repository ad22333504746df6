import { closeSync, readSync } from 'node:fs';
import { KernelError } from './error.ts';
import { call, type Handle } from './libbpf.ts';

/** A program's place on its hook. The program acts until the link is closed or its process ends. */
export class Link implements Disposable {
  readonly program: string;
  #link: Handle | undefined;

  constructor(program: string, handle: Handle) {
    this.program = program;
    this.#link = call('bpf_program__attach', `attaching program ${program}`, handle);
  }

  get open(): boolean {
    return this.#link !== undefined;
  }

  /** Of an iterator program: runs it once over everything and returns what it wrote. */
  iterate(): Buffer {
    if (this.#link === undefined) throw new KernelError('closed', `program ${this.program} is detached already`);
    const doing = `running iterator ${this.program}`;
    const fd = call('bpf_iter_create', doing, call('bpf_link__fd', doing, this.#link));
    try {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(16 * 1024);
        const bytes = readSync(fd, chunk);
        if (bytes === 0) return Buffer.concat(chunks);
        chunks.push(chunk.subarray(0, bytes));
      }
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) call('bpf_link__destroy', `detaching program ${this.program}`, link);
  }
}
