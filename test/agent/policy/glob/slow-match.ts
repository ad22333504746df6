/**
 * Whether a glob matches a whole path, by trying everything; written from the policy language's page (6.5) and sharing no code with
 * the automata. A pattern's pieces: byte, class, one star, two stars, braces.
 */
export function slowMatch(pattern: string, path: Uint8Array): boolean {
  return alternatives(pattern).some((flat) => tries(bytesOf(flat), 0, path, 0));
}

/** UTF-8, and a byte by itself for each of U+DC80 to U+DCFF. */
export function bytesOf(text: string): Buffer {
  return Buffer.concat(
    [...text].map((c) => (/[\udc80-\udcff]/.test(c) ? Buffer.of(c.charCodeAt(0) - 0xdc00) : Buffer.from(c))),
  );
}

/** Replaces the first brace by each of its alternatives, until there is none. */
function alternatives(pattern: string): string[] {
  let open = -1;
  let depth = 0;
  const cuts: number[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === '\\') i++;
    else if (c === '[') i = endOfClass(pattern, i);
    else if (c === '{') {
      if (depth++ === 0) {
        open = i;
        cuts.push(i);
      }
    } else if (c === ',' && depth === 1) cuts.push(i);
    else if (c === '}' && depth > 0 && --depth === 0) {
      cuts.push(i);
      const [head, tail] = [pattern.slice(0, open), pattern.slice(i + 1)];
      return cuts
        .slice(1)
        .flatMap((cut, number) => alternatives(head + pattern.slice((cuts[number] as number) + 1, cut) + tail));
    }
  }
  return [pattern];
}

function endOfClass(pattern: string | Buffer, at: number): number {
  const text = pattern.toString();
  let i = at + 1;
  if (text[i] === '!' || text[i] === '^') i++;
  do i += text[i] === '\\' ? 2 : 1;
  while (text[i] !== ']');
  return i;
}

const slash = 0x2f;
const starts = (p: Buffer, at: number, text: string) => p.subarray(at, at + text.length).equals(Buffer.from(text));

/** Whether pattern bytes from `p` on match path bytes from `t` on. */
function tries(pattern: Buffer, p: number, path: Uint8Array, t: number): boolean {
  if (p === pattern.length) return t === path.length;
  // A double star between slashes: a slash alone, or a slash, anything, and the slash behind the stars.
  if (starts(pattern, p, '/**/') && path[t] === slash) {
    if (tries(pattern, p + 3, path, t)) return true;
    for (let u = t + 1; u < path.length; u++) if (path[u] === slash && tries(pattern, p + 3, path, u)) return true;
    return false;
  }
  if (starts(pattern, p, '**')) {
    for (let u = t; u <= path.length; u++) if (tries(pattern, p + 2, path, u)) return true;
    return false;
  }
  if (starts(pattern, p, '*')) {
    for (let u = t; ; u++) {
      if (tries(pattern, p + 1, path, u)) return true;
      if (u === path.length || path[u] === slash) return false;
    }
  }
  const byte = path[t];
  if (byte === undefined) return false;
  if (starts(pattern, p, '?')) return byte !== slash && tries(pattern, p + 1, path, t + 1);
  if (starts(pattern, p, '[')) {
    const end =
      p + Buffer.byteLength(pattern.toString('latin1').slice(p, endOfClass(pattern.toString('latin1'), p)), 'latin1');
    return byte !== slash && inClass(pattern.subarray(p + 1, end), byte) && tries(pattern, end + 1, path, t + 1);
  }
  const literal = starts(pattern, p, '\\') ? p + 1 : p;
  return pattern[literal] === byte && tries(pattern, literal + 1, path, t + 1);
}

function inClass(members: Buffer, byte: number): boolean {
  const negated = starts(members, 0, '!') || starts(members, 0, '^');
  let i = negated ? 1 : 0;
  let found = false;
  const next = () => {
    if (starts(members, i, '\\')) i++;
    return members[i++] as number;
  };
  while (i < members.length) {
    const low = next();
    let high = low;
    if (starts(members, i, '-') && i + 1 < members.length) {
      i++;
      high = next();
    }
    if (byte >= low && byte <= high) found = true;
  }
  return found !== negated;
}
