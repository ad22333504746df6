import { callShape, limits } from '../abi.gen.ts';
import { firstNewer, newerCalls, schemaCalls } from './syscall-table.ts';

/** An argument of a system call. */
export interface Argument {
  /** As alerts name it; empty: they do not. */
  name: string;
  /** See syscall-table.ts. */
  kind: string;
}

export interface Syscall {
  /** The x86-64 number, by which the call is known inside Picket on every architecture: in rules, in the kernel's maps, in events. */
  number: number;
  name: string;
  arguments: readonly Argument[];
  /** False: it is no more than a number. */
  exists: boolean;
}

function parse(line: string, number: number): Syscall {
  const [head = '', rest] = line.split(':');
  const words = rest?.trim().split(/\s+/) ?? [];
  const parts = words.filter((word) => word !== '').map((word) => word.split('/'));
  return {
    number,
    name: head,
    arguments: parts.map(([name = '', kind]) => (kind === undefined ? { name: '', kind: '-' } : { name, kind })),
    exists: rest !== undefined,
  };
}

/** Every system call that a policy may name, in order of their numbers. */
export const syscalls: readonly Syscall[] = [
  ...schemaCalls.trim().split('\n').map(parse),
  ...newerCalls
    .trim()
    .split('\n')
    .map((line, i) => parse(line, firstNewer + i)),
];

const byName: ReadonlyMap<string, Syscall> = new Map(syscalls.map((call) => [call.name, call]));
const byNumber: ReadonlyMap<number, Syscall> = new Map(syscalls.map((call) => [call.number, call]));

export const syscallNames: ReadonlySet<string> = new Set(byName.keys());

export function findSyscall(of: string | number): Syscall | undefined {
  return typeof of === 'string' ? byName.get(of) : byNumber.get(of);
}

/** The number by which a call is known inside Picket; undefined for a name that is no system call. */
export function syscallNumber(name: string): number | undefined {
  return byName.get(name)?.number;
}

/** The name that goes with a number. */
export function syscallName(number: number): string | undefined {
  return byNumber.get(number)?.name;
}

/** Whether the call takes a path or a descriptor; no other can meet a matchPaths entry. */
export function hasObject(call: Syscall): boolean {
  return call.arguments.some(({ kind }) => isObject(kind)) || opens.has(call.name);
}

function isPath(kind: string): boolean {
  return kind === 'path' || kind === 'name';
}

function isObject(kind: string): boolean {
  return kind === 'fd' || isPath(kind);
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
/** Calls that return the descriptor of their object. */
const opens = words('open openat openat2 creat open_by_handle_at open_tree open_tree_attr');
/** Calls that open a file: security_file_open tells what it was. */
const filesOf = words('open openat openat2 creat open_by_handle_at execve execveat uselib acct swapon swapoff');

const atNoFollow = 0x100n; // AT_SYMLINK_NOFOLLOW
const openNoFollow = 0o400000n; // O_NOFOLLOW
const openNew = 0o300n; // O_CREAT | O_EXCL

/** The arguments of a call with their values, as far as an event tells them: it has the first that are no paths. */
export function tellArguments(call: Syscall, details: readonly bigint[]): { argument: Argument; value: bigint }[] {
  return call.arguments
    .filter(({ kind }) => !isPath(kind))
    .flatMap((argument, i) => (details[i] === undefined ? [] : [{ argument, value: details[i] }]));
}

/** Whether a call with these arguments is about what a link in the last place of its path leads to, or about the link. */
export function followsLinks(call: Syscall, details: readonly bigint[]): boolean {
  if (call.arguments.some(({ kind }) => kind === 'name')) return false;
  for (const { argument, value } of tellArguments(call, details)) {
    const { kind } = argument;
    if (kind === 'lookup' && value & atNoFollow) return false;
    if (kind === 'open' && (value & openNoFollow || (value & openNew) === openNew)) return false;
  }
  return true;
}

/** How the kernel side looks at the call: `enum picket_call_shape`. */
export function shapeOf({ name, arguments: list }: Syscall): number {
  let shape = 0;
  for (const [i, { kind }] of list.entries()) {
    if (kind === 'fd') shape |= callShape.CALL_DESCRIPTOR << i;
    if (isPath(kind)) shape |= callShape.CALL_PATH << i;
    if (kind === 'at') shape |= callShape.CALL_AT << i;
  }
  if (opens.has(name)) shape |= callShape.CALL_OPENS;
  if (filesOf.has(name)) shape |= callShape.CALL_FILE;
  if (name === 'close') shape |= callShape.CALL_CLOSES;
  if (name === 'mmap') shape |= callShape.CALL_MAPS;
  if (name === 'exit' || name === 'exit_group' || name === 'rt_sigreturn') shape |= callShape.CALL_ENDS;
  if (name === 'execve' || name === 'execveat') shape |= callShape.CALL_EXECUTES;
  if (name === 'mount') shape |= callShape.CALL_MOUNTS;
  if (name === 'chdir') shape |= callShape.CALL_ENTERS;
  if (name === 'chroot') shape |= callShape.CALL_CONFINES;
  return shape;
}

/** By the number of the call: how the kernel side looks at it. */
export function callShapes(): Uint32Array<ArrayBuffer> {
  const shapes = new Uint32Array(limits.MAX_SYSCALLS);
  for (const call of syscalls) shapes[call.number] = shapeOf(call);
  return shapes;
}
