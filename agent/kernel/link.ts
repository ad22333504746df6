import { closeSync, openSync, readSync } from 'node:fs';
import { KernelError } from './error.ts';
import { call, type Handle } from './libbpf.ts';
import { pin } from './pin.ts';

/** A program's place on its hook. The program acts until the link is closed or its process ends, unless it is pinned. */
export class Link implements Disposable {
  readonly program: string;
  #link: Handle | undefined;

  /** `cgroup`: path of the cgroup v2 directory that a program of this kind is attached to; it acts on all below. */
  constructor(program: string, handle: Handle, cgroup?: string) {
    this.program = program;
    if (cgroup === undefined) {
      this.#link = call('bpf_program__attach', `attaching program ${program}`, handle);
      return;
    }
    const folder = openSync(cgroup, 'r');
    try {
      this.#link = call('bpf_program__attach_cgroup', `attaching program ${program} to ${cgroup}`, handle, folder);
    } finally {
      closeSync(folder);
    }
  }

  get open(): boolean {
    return this.#link !== undefined;
  }

  get fd(): number {
    if (this.#link === undefined) throw new KernelError('closed', `program ${this.program} is detached already`);
    return call('bpf_link__fd', `finding the link of program ${this.program}`, this.#link);
  }

  /** Gives the link a name in a BPF file system: it then outlives this process, if `keep` ends its use here. */
  pin(path: string): void {
    pin(this.fd, path);
  }

  /** Closes the link here without taking the program off its hook: a pin holds it. */
  keep(): void {
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined) return;
    const doing = `leaving program ${this.program} attached`;
    const fd = call('bpf_link__fd', doing, link);
    // Closing alone would do for most hooks; on a tracepoint of perf events libbpf would also switch the event off.
    call('bpf_link__disconnect', doing, link);
    call('bpf_link__destroy', doing, link);
    closeSync(fd);
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
