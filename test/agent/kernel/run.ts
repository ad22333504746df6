import { addressOf, call } from '../../../agent/kernel/libbpf.ts';
import type { BpfObject } from '../../../agent/kernel/object.ts';

/** Runs a `syscall` program once with a context of 32-bit words and returns what it returned, as a signed number. */
export function runProgram(object: BpfObject, program: string, words: readonly number[]): number {
  return runProgramFd(object.programFd(program), words);
}

export function runProgramFd(fd: number, words: readonly number[]): number {
  const context = new Uint8Array(new Uint32Array(words).buffer);
  // struct bpf_test_run_opts of libbpf 1.1: ctx_in at 32, ctx_size_in at 48, retval at 56.
  const options = new DataView(new ArrayBuffer(80));
  options.setBigUint64(0, 80n, true);
  options.setBigUint64(32, addressOf(context), true);
  options.setUint32(48, context.byteLength, true);
  call('bpf_prog_test_run_opts', 'running a program', fd, new Uint8Array(options.buffer));
  return options.getInt32(56, true);
}
