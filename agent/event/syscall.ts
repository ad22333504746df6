import * as abi from '../abi.gen.ts';
import type { ReadEntry } from '../policy/links.ts';
import { resolvePath } from '../policy/links.ts';
import { components } from '../policy/path.ts';
import { findSyscall, followsLinks, tellArguments } from '../policy/syscall.ts';
import type { EventRecord } from './record.ts';
import { inWords } from './words.ts';

const atCurrent = -100;
const opensNew = 0o100n | 0o20000000n; // O_CREAT, O_TMPFILE: without them the mode means nothing

/** `Data` of a syscall alert: the call, then the arguments that are known. */
export function syscallData({ syscall, details }: Pick<EventRecord, 'syscall' | 'details'>): string {
  const call = findSyscall(syscall);
  const parts = [`syscall=SYS_${(call?.name ?? String(syscall)).toUpperCase()}`];
  let before = 0n; // the flags that a mode goes with
  for (const { argument, value } of call === undefined ? [] : tellArguments(call, details)) {
    const { name, kind } = argument;
    const needless = kind === 'o' && call?.arguments.some((each) => each.kind === 'open') && (before & opensNew) === 0n;
    before = value;
    const text = needless || name === '' ? '' : print(kind, value);
    if (text !== '') parts.push(`${name}=${text}`);
  }
  return parts.join(' ');
}

/** An argument; empty: it is not told. */
function print(kind: string, value: bigint): string {
  switch (kind) {
    case '-':
    case 'path':
    case 'name':
      return '';
    case 'at':
      return Number(BigInt.asIntN(32, value)) === atCurrent ? '' : String(BigInt.asIntN(32, value));
    case 'fd':
      return String(BigInt.asIntN(32, value));
    case 'd':
      return String(isInt(value) ? BigInt.asIntN(32, value) : BigInt.asIntN(64, value));
    case 'u':
      return String(value);
    case 'x':
      return `0x${value.toString(16)}`;
    case 'o':
      return `0${Number(value & 0o7777n).toString(8)}`;
    default:
      return inWords(kind, Number(BigInt.asUintN(32, value)));
  }
}

/** Callers leave the upper half of a register as it is when the argument is an int: one below zero looks large. */
function isInt(value: bigint): boolean {
  return value >> 32n === 0n;
}

/**
 * The paths of a call that only the caller's own strings tell: what they meant, as far as that can still be told. Those of a second
 * path, the path and its directory, stand where other events have arguments.
 *
 * @param withRead gives a reader of the workload's root; not asked where links are not followed
 */
export function latePaths(
  { syscall, details, flags, path, base, args }: EventRecord,
  withRead: <T>(use: (read: ReadEntry) => T) => T,
): string[] {
  const call = findSyscall(syscall);
  const follow = call !== undefined && followsLinks(call, details);
  const [secondPath = '', secondBase = ''] = args;
  return [
    [path, base],
    [secondPath, secondBase],
  ].flatMap(([name = '', from]) => {
    if (name === '') return [];
    if (flags & abi.eventFlags.EVENT_PATH_UNRESOLVED) return [joinPath(from || '/', name)];
    return [withRead((read) => resolveLate(from || '/', name, read, follow))];
  });
}

/**
 * The caller's own string, joined to the directory it is relative to (an absolute one: to the root directory of the
 * process), dots taken out; links are left alone.
 */
export function joinPath(base: string, name: string): string {
  const path: string[] = [];
  for (const part of components(absolute(base, name))) {
    if (part === '' || part === '.') continue;
    if (part === '..') path.pop();
    else path.push(part);
  }
  return `/${path.join('/')}`;
}

/**
 * Path of the object of a call, resolved after it (alert flag `path-late`): links in the directories are followed inside the
 * workload's root, with `follow` one in the last place as well. Links may have changed since the call.
 */
export function resolveLate(base: string, name: string, read: ReadEntry, follow = false): string {
  const trimmed =
    absolute(base, name)
      .replace(/\/{2,}/g, '/')
      .replace(/\/+$/, '') || '/';
  const at = trimmed.lastIndexOf('/');
  const last = trimmed.slice(at + 1);
  if (last === '.' || last === '..' || last === '') return joinPath(base, name);
  if (follow) return joinPath(resolvePath(trimmed, read).spellings.at(-1) ?? trimmed, '');
  const [, ...resolved] = resolvePath(trimmed.slice(0, at) || '/', read).spellings;
  return joinPath(resolved.at(-1) ?? trimmed.slice(0, at), last);
}

/** An absolute name begins at the root directory, above which `..` does not lead. */
function absolute(base: string, name: string): string {
  return `${base}/${name.startsWith('/') ? name.replace(/^(\/+\.{1,2}(?=\/|$))+/, '') : name}`;
}
