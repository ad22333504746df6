/** What an actor does; paths as it says them. */
export interface PathName {
  /** Relative to `base` when there is one. */
  path: string;
  /** The canonical path of a directory, and how it is referred to: as the working directory, or by a descriptor. */
  base?: { directory: string; by: 'cwd' | 'descriptor' };
}

export type OpenMode = 'read' | 'write' | 'both' | 'append' | 'truncate' | 'truncate-read' | 'path';
/** How a descriptor was come by, and what happened between that and its use. */
export interface Descriptor {
  by: 'director' | 'actor';
  /** A new name for a directory on the way, or the file is removed. */
  meanwhile?: { kind: 'renamed'; from: string; to: string } | { kind: 'removed' };
}
export type Way = 'plain' | 'positioned' | 'vector' | 'allocate' | 'sendfile' | 'splice' | 'copy';
export type SocketUse = 'create' | 'bind' | 'connect' | 'listen' | 'accept' | 'send';

export type Operation = {
  actor: number;
  /** Submitted through io_uring, carried out at once or by a worker of the kernel. */
  ring?: 'now' | 'later';
} & (
  | { kind: 'open'; name: PathName; mode: OpenMode }
  | { kind: 'create'; name: PathName; mode: OpenMode; exclusive: boolean }
  | { kind: 'temporary'; name: PathName }
  | { kind: 'mkdir'; name: PathName }
  | { kind: 'mknod'; name: PathName; what: 'file' | 'fifo' | 'character' }
  | { kind: 'symlink'; name: PathName; target: string }
  | { kind: 'bindLocal'; name: PathName }
  | { kind: 'unlink'; name: PathName; fresh: boolean }
  | { kind: 'rmdir'; name: PathName }
  | { kind: 'link'; old: PathName; name: PathName }
  | { kind: 'rename'; old: PathName; name: PathName; exchange?: boolean }
  | { kind: 'truncate' | 'chmod'; name: PathName }
  | { kind: 'chown'; name: PathName; uid: number; follow: boolean }
  | {
      kind: 'use';
      name: PathName;
      descriptor: Descriptor;
      use: Way | 'ftruncate' | 'fchmod' | 'fchown';
    }
  | { kind: 'exec'; name: PathName; args: string[]; through?: { program: string; fork: boolean } }
  | { kind: 'execMemory'; name: string; args: string[] }
  | { kind: 'socket'; family: number; type: number; protocol: number; use: SocketUse }
  | { kind: 'question'; family: number; domain: string; connected: boolean }
  | { kind: 'capability'; capability: string }
);

export type OperationKind = Operation['kind'];

/** In words, for people who look for the fault. */
export function describe(operation: Operation): string {
  const { actor: _, kind, ...rest } = operation;
  const words = Object.entries(rest).map(([key, value]) => `${key} ${shown(value)}`);
  return `${kind} ${words.join(', ')}`;
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'path' in value) {
    const { path, base } = value as PathName;
    return shortened(path) + (base ? ` (from ${shortened(base.directory)} by ${base.by})` : '');
  }
  return typeof value === 'string' ? shortened(value) : JSON.stringify(value);
}

/** Text with bytes that are no letters shown as numbers, long ones cut in the middle. */
export function shortened(path: string): string {
  const text = JSON.stringify(path).replace(/[\x7f-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
  return text.length < 300 ? text : `${text.slice(0, 120)}…(${path.length} bytes)…${text.slice(-120)}`;
}
