import { resolvePath, type WorkloadRoot } from './links.ts';

/** Where programs are looked for, in the order of a shell. */
const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * The links in the directories of programs, by the program that they lead to; canonical paths. The directories of `more` paths are
 * looked at too.
 */
export function programLinks({ read, links }: WorkloadRoot, more: Iterable<string>): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>();
  const folders = [...directories, ...[...more].map((path) => path.slice(0, path.lastIndexOf('/')) || '/')];
  const canonical = new Set(folders.map((folder) => resolvePath(folder, read).spellings.at(-1) ?? folder));
  for (const folder of canonical)
    for (const name of links(folder)) {
      const link = folder === '/' ? `/${name}` : `${folder}/${name}`;
      const { target } = resolvePath(link, read);
      if (target === undefined) continue;
      const names = found.get(target);
      if (names === undefined) found.set(target, [link]);
      else names.push(link);
    }
  return found;
}
