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

  [Symbol.dispose](): void {
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) call('bpf_link__destroy', `detaching program ${this.program}`, link);
  }
}
