/** Longest path that the kernel knows, in bytes, without the closing zero. */
export const maxPathBytes = 4095;

export function collapseSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

/** Says what is wrong with a rule's path or directory, slashes not yet collapsed; undefined when nothing is. */
export function pathProblem(written: string, ending: 'file' | 'directory' | 'either'): string | undefined {
  const path = collapseSlashes(written);
  if (!path.startsWith('/')) return 'a path that begins with "/"';
  if (ending === 'file' && path.endsWith('/'))
    return 'a path that does not end with "/"; use matchDirectories with dir for a directory';
  if (path.includes('\0')) return 'a path without NUL bytes';
  if (isOdd(path)) return 'a path without halves of surrogate pairs';
  if (/(^|\/)\.\.?(\/|$)/.test(path)) return 'a path without "." and ".." components';
  if (Buffer.byteLength(path) > maxPathBytes) return `a path of at most ${maxPathBytes} bytes`;
  return undefined;
}

/** Half of a surrogate pair that stands for no byte either (pathname.ts): it would become another character, and the rule one about nothing. */
export function isOdd(text: string): boolean {
  return /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udc7f\udd00-\udfff]/.test(text);
}

/** The path of a directory without its trailing slash; `/` stays. */
export function directoryPath(written: string): string {
  const path = collapseSlashes(written);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Components of an absolute path without trailing slash; none for `/`. */
export function components(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

/** Number of components: 0 for `/`, 2 for `/a/b`. */
export function depthOf(path: string): number {
  if (path === '/') return 0;
  let depth = 0;
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) === 0x2f) depth++;
  return depth;
}
