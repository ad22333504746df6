/**
 * The calls into libbpf and libc, each declared once and made through one wrapper that checks every handle and every errno.
 *
 * A null handle given to libbpf, like memory read after it was unmapped, ends the process with SIGSEGV: no JavaScript error, no
 * trace. So nothing outside this folder sees a pointer, and inside it a pointer goes nowhere but through `call`.
 */
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import type { LibraryHandle, TypeObject } from 'koffi';
import { describeErrno, errnoCode } from './errno.ts';
import { KernelError } from './error.ts';

/** An address that libbpf or libc gave out; never null. */
export type Handle = bigint;

/** How one value travels: the koffi type and, by `Value`, the TypeScript one. `?` admits null (an argument) or an empty answer (a result). */
const koffiTypes = {
  handle: 'void *',
  'handle?': 'void *',
  bytes: 'void *', // a Uint8Array, in or out: the callee works on its memory, nothing is copied
  'bytes?': 'void *',
  callback: 'void *',
  text: 'str',
  'text?': 'str',
  u32: 'uint32_t',
  i32: 'int',
  i64: 'int64_t',
  size: 'size_t',
  flag: 'bool',
  status: 'int',
  nothing: 'void',
} as const;

interface Values {
  handle: Handle;
  'handle?': Handle | null;
  bytes: Uint8Array;
  'bytes?': Uint8Array | null;
  callback: Handle | null;
  text: string;
  'text?': string | null;
  u32: number;
  i32: number;
  i64: number | bigint;
  size: number;
  flag: boolean;
  /** Zero or positive; a negative one became a KernelError. */
  status: number;
  nothing: undefined;
}

type Kind = keyof Values;

/** name: [library, result, ...arguments]. libbpf returns -errno or sets errno with NULL; libc returns -1 or MAP_FAILED and sets errno. */
const declarations = {
  bpf_object__open_mem: ['libbpf', 'handle', 'bytes', 'size', 'bytes?'],
  bpf_object__load: ['libbpf', 'status', 'handle'],
  bpf_object__close: ['libbpf', 'nothing', 'handle'],
  bpf_object__btf: ['libbpf', 'handle', 'handle'],
  bpf_object__next_program: ['libbpf', 'handle?', 'handle', 'handle?'],
  bpf_object__next_map: ['libbpf', 'handle?', 'handle', 'handle?'],
  btf__load_vmlinux_btf: ['libbpf', 'handle'],
  btf__find_by_name_kind: ['libbpf', 'status', 'handle', 'text', 'u32'],
  btf__free: ['libbpf', 'nothing', 'handle'],
  btf__raw_data: ['libbpf', 'handle', 'handle', 'bytes'],

  bpf_program__name: ['libbpf', 'text', 'handle'],
  bpf_program__section_name: ['libbpf', 'text', 'handle'],
  bpf_program__fd: ['libbpf', 'status', 'handle'],
  bpf_program__autoload: ['libbpf', 'flag', 'handle'],
  bpf_program__set_autoload: ['libbpf', 'status', 'handle', 'flag'],
  bpf_program__autoattach: ['libbpf', 'flag', 'handle'],
  bpf_program__set_autoattach: ['libbpf', 'nothing', 'handle', 'flag'],
  bpf_program__set_attach_target: ['libbpf', 'status', 'handle', 'i32', 'text'],
  bpf_program__insns: ['libbpf', 'handle', 'handle'],
  bpf_program__insn_cnt: ['libbpf', 'size', 'handle'],
  bpf_program__attach: ['libbpf', 'handle', 'handle'],
  bpf_program__attach_cgroup: ['libbpf', 'handle', 'handle', 'i32'],
  bpf_link__fd: ['libbpf', 'status', 'handle'],
  bpf_link__disconnect: ['libbpf', 'nothing', 'handle'],
  bpf_iter_create: ['libbpf', 'status', 'i32'],
  bpf_link_update: ['libbpf', 'status', 'i32', 'i32', 'bytes?'],
  bpf_link__destroy: ['libbpf', 'status', 'handle'],

  bpf_map__name: ['libbpf', 'text', 'handle'],
  bpf_map__fd: ['libbpf', 'status', 'handle'],
  bpf_map__type: ['libbpf', 'u32', 'handle'],
  bpf_map__key_size: ['libbpf', 'u32', 'handle'],
  bpf_map__value_size: ['libbpf', 'u32', 'handle'],
  bpf_map__max_entries: ['libbpf', 'u32', 'handle'],
  bpf_map__map_flags: ['libbpf', 'u32', 'handle'],
  bpf_map__reuse_fd: ['libbpf', 'status', 'handle', 'i32'],
  bpf_map__set_max_entries: ['libbpf', 'status', 'handle', 'u32'],
  bpf_map__inner_map: ['libbpf', 'handle?', 'handle'],
  bpf_map__set_inner_map_fd: ['libbpf', 'status', 'handle', 'i32'],
  bpf_map__set_autocreate: ['libbpf', 'status', 'handle', 'flag'],
  bpf_map__initial_value: ['libbpf', 'handle', 'handle', 'bytes'],
  bpf_map__set_initial_value: ['libbpf', 'status', 'handle', 'bytes', 'size'],

  bpf_map_create: ['libbpf', 'status', 'u32', 'text', 'u32', 'u32', 'u32', 'bytes?'],
  bpf_map_lookup_elem: ['libbpf', 'status', 'i32', 'bytes', 'bytes'],
  bpf_map_update_elem: ['libbpf', 'status', 'i32', 'bytes', 'bytes', 'i64'],
  bpf_map_update_batch: ['libbpf', 'status', 'i32', 'bytes', 'bytes', 'bytes', 'bytes?'],
  bpf_map_delete_elem: ['libbpf', 'status', 'i32', 'bytes'],
  bpf_map_get_next_key: ['libbpf', 'status', 'i32', 'bytes?', 'bytes'],

  bpf_obj_pin: ['libbpf', 'status', 'i32', 'text'],
  bpf_obj_get: ['libbpf', 'status', 'text'],
  bpf_obj_get_info_by_fd: ['libbpf', 'status', 'i32', 'bytes', 'bytes'],
  bpf_prog_get_fd_by_id: ['libbpf', 'status', 'u32'],
  bpf_map_get_fd_by_id: ['libbpf', 'status', 'u32'],
  bpf_link_get_fd_by_id: ['libbpf', 'status', 'u32'],
  bpf_prog_load: ['libbpf', 'status', 'u32', 'text', 'text', 'bytes', 'size', 'bytes'],
  bpf_link_create: ['libbpf', 'status', 'i32', 'i32', 'u32', 'bytes'],
  bpf_prog_test_run_opts: ['libbpf', 'status', 'i32', 'bytes'],
  bpf_raw_tracepoint_open: ['libbpf', 'status', 'text?', 'i32'],
  bpf_btf_load: ['libbpf', 'status', 'bytes', 'size', 'bytes?'],
  libbpf_num_possible_cpus: ['libbpf', 'status'],
  libbpf_set_print: ['libbpf', 'handle?', 'callback'],
  libbpf_version_string: ['libbpf', 'text'],

  mmap: ['libc', 'handle', 'handle?', 'size', 'i32', 'i32', 'i32', 'i64'],
  munmap: ['libc', 'status', 'handle', 'size'],
  vasprintf: ['libc', 'status', 'bytes', 'handle', 'handle'],
  free: ['libc', 'nothing', 'handle'],
  getpagesize: ['libc', 'status'],
  pidfd_open: ['libc', 'status', 'i32', 'u32'],
} as const satisfies Record<string, readonly ['libbpf' | 'libc', Kind, ...Kind[]]>;

type Declarations = typeof declarations;
export type CallName = keyof Declarations;
type Arguments<K extends readonly Kind[]> = { -readonly [I in keyof K]: Values[K[I]] };
export type CallArguments<N extends CallName> = Declarations[N] extends readonly [
  unknown,
  unknown,
  ...infer A extends Kind[],
]
  ? Arguments<A>
  : never;
export type CallResult<N extends CallName> = Values[Declarations[N][1]];

interface Loaded {
  koffi: typeof koffiModule;
  libraries: Record<'libbpf' | 'libc', LibraryHandle>;
  functions: Map<CallName, (...values: unknown[]) => unknown>;
}

const mapFailed = 0xffff_ffff_ffff_ffffn;
let loaded: Loaded | undefined;
let printType: TypeObject | undefined;

/**
 * Calls a C function and returns its checked result. `tried` says in words what is being attempted, for the error message.
 *
 * @throws KernelError when libbpf cannot be loaded, a handle is null, or the function reports a failure
 */
export function call<N extends CallName>(name: N, tried: string, ...values: CallArguments<N>): CallResult<N> {
  const { koffi, functions } = load();
  const [library, result, ...kinds] = declarations[name] as readonly ['libbpf' | 'libc', Kind, ...Kind[]];
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] === 'handle' && !values[i])
      throw new KernelError('closed', `${tried}: the handle given to ${name} is null`);
    // An empty array may have no memory behind it; the kernel would read or write at a wild address.
    if (kinds[i] === 'bytes' && (values[i] as Uint8Array).byteLength === 0)
      throw new KernelError('failed', `${tried}: the buffer given to ${name} is empty`);
  }
  let f = functions.get(name);
  if (f === undefined) {
    f = declare(name);
    functions.set(name, f);
  }
  const answer = f(...values);
  const failed =
    result === 'status'
      ? (answer as number) < 0
      : result === 'handle'
        ? answer === null || answer === mapFailed
        : false;
  if (failed)
    throw toError(name, tried, result === 'status' && library === 'libbpf' ? -(answer as number) : koffi.errno());
  if (result === 'text' && answer === null) throw new KernelError('failed', `${tried}: ${name} gave no text`);
  return answer as CallResult<N>;
}

/** The same as `call` for a status whose errno `expected` is an ordinary answer: undefined then. */
export function callUnless<N extends CallName>(expected: number, name: N, tried: string, ...values: CallArguments<N>) {
  try {
    return call(name, tried, ...values);
  } catch (error) {
    if (error instanceof KernelError && error.errno === expected) return undefined;
    throw error;
  }
}

/** An ArrayBuffer over foreign memory. Detach it with `release` before the memory goes away: reading it later would be SIGSEGV. */
export function viewMemory(address: Handle, bytes: number): ArrayBuffer {
  return load().koffi.view(address, bytes);
}

/** Makes every view of the buffer empty; touching them is then harmless. */
export function release(buffer: ArrayBuffer): void {
  if (!buffer.detached) buffer.transfer(0);
}

/** Copies foreign memory that may go away. */
export function copyMemory(address: Handle, bytes: number): Uint8Array {
  if (bytes === 0) return new Uint8Array(0);
  const memory = viewMemory(address, bytes);
  const copy = new Uint8Array(memory).slice();
  release(memory);
  return copy;
}

/** The address of an array's memory, for a C struct that holds a pointer. Keep the array referenced while C may use it. */
export function addressOf(bytes: Uint8Array): Handle {
  return load().koffi.address(bytes);
}

/** Makes a JavaScript function `int f(int level, const char *format, va_list)` callable from C until `unregister`, on this thread. */
export function registerPrint(print: (level: number, format: Handle, values: Handle) => number): Handle {
  const { koffi } = load();
  // On both architectures a va_list argument arrives as a pointer: it is an array (x86-64) or too big for registers (arm64).
  printType ??= koffi.pointer(koffi.proto('int', ['int', 'void *', 'void *']));
  return koffi.register(print, printType);
}

export function unregister(callback: Handle): void {
  load().koffi.unregister(callback);
}

function load(): Loaded {
  if (loaded !== undefined) return loaded;
  let koffi: typeof koffiModule;
  try {
    // At the first use and not by an import: a machine without the library must still be able to run `picket doctor`.
    koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  } catch (cause) {
    const message = `koffi, the package through which libbpf is called, has no build for ${process.platform}-${process.arch} here; install the packages again with: npm ci`;
    throw new KernelError('no-library', message, { cause });
  }
  const open = (file: string, todo: string) => {
    try {
      return koffi.load(file);
    } catch (cause) {
      throw new KernelError('no-library', `${file} cannot be loaded (${(cause as Error).message}); ${todo}`, { cause });
    }
  };
  const libbpf = open('libbpf.so.1', 'install it with: apt-get install libbpf1');
  const libc = open('libc.so.6', 'the agent needs a system with GNU libc');
  loaded = { koffi, libraries: { libbpf, libc }, functions: new Map() };
  declare('libbpf_set_print')(null); // it would write to standard error by itself
  return loaded;
}

function declare(name: CallName): (...values: unknown[]) => unknown {
  const { libraries } = load();
  const [library, result, ...kinds] = declarations[name] as readonly ['libbpf' | 'libc', Kind, ...Kind[]];
  try {
    return libraries[library].func(
      name,
      koffiTypes[result],
      kinds.map((kind) => koffiTypes[kind]),
    );
  } catch (cause) {
    throw new KernelError('no-library', `${library} has no function ${name}; libbpf 1.1 or newer is needed`, { cause });
  }
}

function toError(name: CallName, tried: string, errno: number): KernelError {
  return new KernelError(errnoCode(errno), `${tried}: ${name} answered ${describeErrno(errno)}`, { errno });
}
