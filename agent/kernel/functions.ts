import { readFileSync } from 'node:fs';
import { KernelError } from './error.ts';

export interface KernelFunction {
  /** Number in the kernel's types. */
  id: number;
  /** Number of its prototype: equal for functions that take and return the same, parameter names included. */
  prototype: number;
}

const kindFunction = 12;
/** Bytes that follow a type of each kind, for each of its elements and once; Documentation/bpf/btf.rst. */
const perElement: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 };
const once: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 };

/**
 * The functions in the kernel's type information whose name begins with one of `beginnings`. One pass over a hundred thousand types,
 * in which only names that begin right are made into strings: asking libbpf for each name is a pass each.
 *
 * @throws KernelError `bad-object` when the information is no BTF
 */
export function readFunctions(btf: Buffer, beginnings: readonly string[]): Map<string, KernelFunction> {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength);
  const header = btf.byteLength >= 24 ? view.getUint32(4, true) : 0;
  if (header === 0 || view.getUint16(0, true) !== 0xeb9f)
    throw new KernelError('bad-object', 'the kernel’s type information does not begin with the BTF signature');
  const end = header + view.getUint32(8, true) + view.getUint32(12, true);
  const strings = header + view.getUint32(16, true);
  const wanted = beginnings.map((beginning) => Buffer.from(beginning));
  const found = new Map<string, KernelFunction>();
  let id = 1;
  for (let at = header + view.getUint32(8, true); at < end; id++) {
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    if (kind === kindFunction) {
      const name = strings + view.getUint32(at, true);
      if (
        wanted.some((beginning) => btf.compare(beginning, 0, beginning.length, name, name + beginning.length) === 0)
      ) {
        const text = btf.toString('latin1', name, btf.indexOf(0, name));
        // Some are there twice, declared with another parameter name; libbpf takes the first.
        if (!found.has(text)) found.set(text, { id, prototype: view.getUint32(at + 8, true) });
      }
    }
    at += 12 + (once[kind] ?? 0) + (info & 0xffff) * (perElement[kind] ?? 0);
  }
  return found;
}

let functions: ReadonlyMap<string, KernelFunction> | undefined;

/**
 * The functions of the running kernel in which system calls begin, by name. Those whose name begins with `__do_` are what other
 * functions lead to, with parameters of their own, except for calls without arguments.
 */
export function callFunctions(): ReadonlyMap<string, KernelFunction> {
  if (functions === undefined) {
    const found = readFunctions(readFileSync('/sys/kernel/btf/vmlinux'), [
      ...['__x64_sys_', '__ia32_sys_', '__ia32_compat_sys_', '__arm64_sys_'],
      ...['__do_sys_', '__do_compat_sys_'],
    ]);
    const isBody = (name: string): boolean => name.startsWith('__do_');
    const entries = new Set([...found].flatMap(([name, { prototype }]) => (isBody(name) ? [] : [prototype])));
    functions = new Map([...found].filter(([name, { prototype }]) => !isBody(name) || entries.has(prototype)));
  }
  return functions;
}
