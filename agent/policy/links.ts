import { closeSync, constants, lstatSync, opendirSync, openSync, readlinkSync } from 'node:fs';
import { components } from './path.ts';
import { pathBytes, pathFromBytes } from './pathname.ts';

/** What stands at a path below a root: a symbolic link with its target, something else, or nothing. */
export type Entry = { kind: 'link'; target: string } | { kind: 'other' } | { kind: 'missing' };

/** Reads one entry; the path is absolute, seen from the root, and its parents are no links. */
export type ReadEntry = (path: string) => Entry;

/** A link that was followed, and what it said then: when it changes, the rules must be resolved again. */
export interface FollowedLink {
  path: string;
  target: string;
}

/** The spellings in which a rule's path is compared, the one as written first; no repeats. */
export interface Resolution {
  spellings: readonly string[];
  links: readonly FollowedLink[];
  /** The path, or a tail of it, does not exist now. */
  missing: boolean;
  /** Where the last name leads, when it is a link. */
  target?: string | undefined;
  /** The first part that does not exist; when it appears, the path must be resolved again. */
  absent?: string | undefined;
}

/** The kernel's own limit (MAXSYMLINKS); behind more links than this nothing can be opened. */
const maxLinks = 40;
const maxPathLength = 4095;

/**
 * Resolves one rule path (policy language, 6.2) against a root that `read` knows. Spellings: as written; with all links
 * followed; and, so that a rule on a link keeps the link itself from being replaced where its directory is reached
 * through another link, the resolved directory with the last name as written.
 *
 * An absolute target starts again at the root and `..` never leaves it. When a tail is missing, the part that exists is
 * resolved and the rest appended.
 */
export function resolvePath(written: string, read: ReadEntry): Resolution {
  const links: FollowedLink[] = [];
  const names = components(written);
  const last = names.pop();
  if (last === undefined) return { spellings: ['/'], links, missing: false };
  const parent = follow([], names, read, links);
  const resolved = parent && follow(parent.path, [last], read, links, parent.missing);
  if (!parent || !resolved) return { spellings: [written], links, missing: true };
  const [own, target] = [join([...parent.path, last]), join(resolved.path)];
  const spellings = [written, own, target];
  return {
    spellings: [...new Set(spellings)].filter((path) => path.length <= maxPathLength),
    links,
    missing: resolved.missing,
    target: target === own ? undefined : target,
    absent: parent.absent ?? resolved.absent,
  };
}

/** The path at which the kernel finds `written`; with `last` false a link at its end is not followed. */
export function canonicalPath(written: string, read: ReadEntry, last: boolean): string {
  const names = components(written);
  const name = names.pop();
  if (name === undefined) return '/';
  const parent = follow([], names, read, []);
  if (parent === undefined) return written;
  const here = [...parent.path, name];
  return join(last ? (follow(parent.path, [name], read, [], parent.missing)?.path ?? here) : here);
}

interface Followed {
  path: string[];
  missing: boolean;
  absent?: string | undefined;
}

/** Undefined when there are too many links. */
function follow(
  from: readonly string[],
  names: readonly string[],
  read: ReadEntry,
  links: FollowedLink[],
  missing = false,
): Followed | undefined {
  let path = [...from];
  const todo = [...names].reverse();
  let gone = missing;
  let absent: string | undefined;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      path.pop();
      continue;
    }
    path.push(name);
    if (gone) continue;
    const here = join(path);
    const entry = read(here);
    if (entry.kind !== 'link') {
      gone = entry.kind === 'missing';
      if (gone) absent = here;
      continue;
    }
    path.pop();
    links.push({ path: here, target: entry.target });
    if (links.length > maxLinks) return undefined;
    if (entry.target.startsWith('/')) path = [];
    todo.push(...entry.target.split('/').reverse());
  }
  return { path, missing: gone, absent };
}

function join(names: readonly string[]): string {
  return `/${names.join('/')}`;
}

/** A workload's root directory, held open. */
export interface WorkloadRoot extends Disposable {
  read: ReadEntry;
  /** Names of the links in a directory, of its first ten thousand entries; none when it cannot be read. No part of its path is a link. */
  links(directory: string): string[];
}

/**
 * Opens a root such as `/proc/PID/root`; it stays the same directory when the process ends meanwhile. Only `lstat` and `readlink` are
 * called below it, on names whose parents were seen to be no links: a workload that swaps one in at that moment can
 * make us see a wrong target, nothing else. Each entry is read once: open anew each time that rules are resolved.
 * Throws the system's error when the root cannot be opened.
 */
export function openRoot(root: string): WorkloadRoot {
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const known = new Map<string, Entry>();
  let open = true;
  return {
    read: (path) => {
      let entry = known.get(path);
      if (entry === undefined) {
        entry = readEntry(pathBytes(`/proc/self/fd/${fd}${path}`));
        known.set(path, entry);
      }
      return entry;
    },
    links: (directory) => linksIn(pathBytes(`/proc/self/fd/${fd}${directory}`)),
    [Symbol.dispose]: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function readEntry(path: Buffer): Entry {
  try {
    // Most names are no links: asking first costs less than the error that readlink gives for them.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { kind: 'missing' };
    if (!found.isSymbolicLink()) return { kind: 'other' };
    return { kind: 'link', target: pathFromBytes(readlinkSync(path, 'buffer')) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return { kind: 'missing' };
    // EINVAL: it was replaced just now. Anything else (a FUSE mount that refuses us, a sick disk) must not let the workload keep
    // its rules from being updated: the path stays as far as it is known.
    return { kind: 'other' };
  }
}

const maxEntries = 10_000;

function linksIn(path: Buffer): string[] {
  const found: string[] = [];
  try {
    using directory = opendirSync(path, { encoding: 'buffer' as BufferEncoding });
    for (let count = 0; count < maxEntries; count++) {
      const entry = directory.readSync();
      if (entry === null) break;
      if (entry.isSymbolicLink()) found.push(pathFromBytes(Buffer.from(entry.name)));
    }
  } catch {
    // what cannot be read holds no link that matters
  }
  return found;
}

/** Reads the entries of a directory that lies at `at`, for paths seen from further out: those of a chroot, for example. */
export function readBelow(at: string, read: ReadEntry): ReadEntry {
  if (at === '/') return read;
  return (path) => {
    if (!path.startsWith(`${at}/`)) return { kind: 'other' };
    const entry = read(path.slice(at.length));
    return entry.kind === 'link' && entry.target.startsWith('/') ? { kind: 'link', target: at + entry.target } : entry;
  };
}
