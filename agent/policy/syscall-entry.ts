import { callShape } from '../abi.gen.ts';
import type { Syscall } from './syscall.ts';
import { syscallNumber } from './syscall.ts';
import { compatCalls, compatWideCalls, firstCompatWide, ipcCalls, socketcalls } from './syscall-compat.ts';
import { firstNewer } from './syscall-table.ts';

interface CompatCall {
  /** The number that a 32-bit program gives. */
  number: number;
  name: string;
  /** Function in the kernel, the first of these that is there; undefined: as for the 64-bit call. */
  fn: readonly string[] | undefined;
}

const words = (text: string): string[] => text.trim().split(/\s+/);
const prefixes: Readonly<Record<string, string>> = {
  c: '__ia32_compat_sys_',
  s: '__ia32_sys_',
  d: '__do_compat_sys_',
};

const compat: readonly CompatCall[] = [
  ...words(compatCalls).map((word, number) => ({ word, number })),
  ...words(compatWideCalls).map((word, i) => ({ word, number: firstCompatWide + i })),
].flatMap(({ word, number }) => {
  const [name = '', entry] = word.split('/');
  if (name === '-') return [];
  const [prefix = '', stem = ''] = entry?.split(':') ?? [];
  return [{ number, name, fn: entry === undefined ? undefined : [`__do_sys_${stem}`, `${prefixes[prefix]}${stem}`] }];
});

const multiplexers = ['socketcall', 'ipc'];

/** By the number that a 32-bit program gives: the call's own, CALL_MULTIPLEXED + 0 or 1 for socketcall and ipc, 511 for none. */
export const compatNumbers = new Uint16Array(512).fill(511);
for (const { number, name } of compat) {
  const table = multiplexers.indexOf(name);
  compatNumbers[number] = table < 0 ? (syscallNumber(name) ?? 511) : callShape.CALL_MULTIPLEXED + table;
}
for (let number = firstNewer; number < 511; number++) compatNumbers[number] = number;

/** By the first argument of socketcall (0..31) and ipc (32..63): the call's number; 511: none. */
export const multiplexedNumbers = new Uint16Array(64).fill(511);
for (const [table, names] of [words(socketcalls), words(ipcCalls)].entries())
  for (const [i, name] of names.entries()) multiplexedNumbers[32 * table + i] = syscallNumber(name) ?? 511;

/** Where the kernel's function is not called as the call is. */
const stems: Readonly<Record<string, string>> = {
  stat: 'newstat',
  fstat: 'newfstat',
  lstat: 'newlstat',
  sendfile: 'sendfile64',
  uname: 'newuname',
  umount2: 'umount',
};

export interface Entry {
  fn: string;
  /** Goes to the program with each call: the call's number, or which table of calls. */
  cookie: number;
}

/**
 * The kernel's functions that carry a call out, of which `has` tells whether they are there: for 64-bit programs, then for 32-bit ones.
 * A call without arguments has one function for both: what begins with `__do_` is the function itself then, and the other names are
 * names of the same, which may not be used beside it.
 */
export function entriesOf({ name, number }: Syscall, has: (fn: string) => boolean, architecture: string): Entry[] {
  const stem = stems[name] ?? name;
  if (architecture !== 'x64')
    return [`__${architecture}_sys_${stem}`].filter(has).map((fn) => ({ fn, cookie: number }));
  const first = (...fns: string[]): string[] => fns.filter(has).slice(0, 1);
  const fns = first(`__do_sys_${stem}`, `__x64_sys_${stem}`).map((fn) => ({ fn, cookie: number }));
  for (const { name: own, fn } of [...compat.filter((each) => each.name === name), ...newer(name, number)])
    for (const found of fn
      ? first(...fn)
      : first(`__do_sys_${stem}`, `__ia32_compat_sys_${stem}`, `__ia32_sys_${stem}`))
      fns.push({ fn: found, cookie: syscallNumber(own) ?? 511 });
  for (const [table, call] of multiplexers.entries())
    if (multiplexedNumbers.subarray(32 * table, 32 * table + 32).includes(number))
      for (const found of first(`__ia32_compat_sys_${call}`))
        fns.push({ fn: found, cookie: callShape.CALL_MULTIPLEXED + table });
  return fns.filter(({ fn }, i) => fns.findIndex((other) => other.fn === fn) === i);
}

function newer(name: string, number: number): CompatCall[] {
  return number < firstNewer ? [] : [{ number, name, fn: undefined }];
}
