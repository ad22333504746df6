import type { ReadEntry } from '../policy/links.ts';
import { resolvePath } from '../policy/links.ts';
import { components } from '../policy/path.ts';
import type { EventRecord } from './record.ts';

/** The covered calls by their number (x86-64). */
const names: Readonly<Record<number, string>> = { 84: 'rmdir', 87: 'unlink', 263: 'unlinkat' };
const atRemoveDir = 0x200n;
const atCurrent = -100;

/** `Data` of a syscall alert: the call, then the arguments that are known. */
export function syscallData({ syscall, details: [first, , flags] }: EventRecord): string {
  const name = names[syscall] ?? String(syscall);
  const parts = [`syscall=SYS_${name.toUpperCase()}`];
  if (name === 'unlinkat') {
    const fd = Number(BigInt.asIntN(32, first));
    if (fd !== atCurrent) parts.push(`fd=${fd}`);
    if (flags & atRemoveDir) parts.push('flags=AT_REMOVEDIR');
  }
  return parts.join(' ');
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
 * Path of the object of a name operation, resolved after the call (alert flag `path-late`): links in the directories are
 * followed inside the workload's root, the last name stays. Links may have changed since the call.
 */
export function resolveLate(base: string, name: string, read: ReadEntry): string {
  const trimmed =
    absolute(base, name)
      .replace(/\/{2,}/g, '/')
      .replace(/\/+$/, '') || '/';
  const at = trimmed.lastIndexOf('/');
  const last = trimmed.slice(at + 1);
  if (last === '.' || last === '..' || last === '') return joinPath(base, name);
  const [, ...resolved] = resolvePath(trimmed.slice(0, at) || '/', read).spellings;
  return joinPath(resolved.at(-1) ?? trimmed.slice(0, at), last);
}

/** An absolute name begins at the root directory, above which `..` does not lead. */
function absolute(base: string, name: string): string {
  return `${base}/${name.startsWith('/') ? name.replace(/^(\/+\.{1,2}(?=\/|$))+/, '') : name}`;
}
