import { readFileSync } from 'node:fs';

const keepMs = 10_000;

/** Names of the node's users, from /etc/passwd, which is read again when what is known is ten seconds old. */
export class UserNames {
  readonly #file: string;
  #names: ReadonlyMap<number, string> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(file = '/etc/passwd') {
    this.#file = file;
  }

  /** The first name of a uid; undefined: none is known. */
  find(uid: number, now: number = performance.now()): string | undefined {
    if (now - this.#readAt >= keepMs) {
      this.#names = readNames(this.#file);
      this.#readAt = now;
    }
    return this.#names.get(uid);
  }
}

function readNames(file: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return names; // a node without such a file
  }
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}
