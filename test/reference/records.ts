/** What exerciser.c is told: numbers and layout as there. */
export const operations = {
  open: 1,
  close: 2,
  mkdir: 3,
  mknod: 4,
  symlink: 5,
  link: 6,
  unlink: 7,
  rename: 8,
  truncate: 9,
  ftruncate: 10,
  chmod: 11,
  fchmod: 12,
  chown: 13,
  fchown: 14,
  write: 15,
  bindLocal: 16,
  exec: 17,
  execMemory: 18,
  chdir: 19,
  socket: 20,
  bind: 21,
  connect: 22,
  listen: 23,
  accept: 24,
  send: 25,
  capability: 26,
  receive: 27,
  terminal: 28,
  chroot: 29,
  user: 30,
  question: 31,
  spawn: 64,
  make: 65,
  remove: 66,
  mount: 67,
  unmount: 68,
  chain: 69,
  umask: 70,
} as const;

export type OperationName = keyof typeof operations;

export const kinds = {
  directory: 1,
  empty: 2,
  program: 3,
  script: 4,
  self: 5,
  link: 6,
  fifo: 7,
  character: 8,
} as const;

export const ways = {
  plain: 1,
  positioned: 2,
  vector: 3,
  allocate: 4,
  sendfile: 5,
  splice: 6,
  copy: 7,
} as const;

/** The director. */
export const director = 0;

export interface Step {
  actor: number;
  operation: OperationName;
  /** Carried out if the last marked step succeeded, or did not. */
  when?: 'succeeded' | 'failed';
  mark?: boolean;
  /** Carried out in a child, which may be killed for it. */
  child?: boolean;
  /** Through io_uring, at once or by a worker of the kernel. */
  ring?: 'now' | 'later';
  /** Whether it succeeds does not matter. */
  optional?: boolean;
  a?: number;
  b?: number;
  c?: number;
  d?: number;
  strings?: readonly string[];
}

const headBytes = 28;
const conditions = { succeeded: 1, failed: 2 } as const;

export function encodeSteps(steps: readonly Step[]): Buffer {
  return Buffer.concat(
    steps.map(({ actor, operation, when, mark, child, ring, a = 0, b = 0, c = -1, d = -1, strings = [] }) => {
      const text = Buffer.from(strings.map((each) => `${each}\0`).join(''), 'latin1');
      const head = Buffer.alloc(headBytes);
      head.writeUInt32LE(text.length, 0);
      head.writeUInt16LE(actor, 4);
      head.writeUInt16LE(operations[operation], 6);
      head.writeUInt16LE(when ? conditions[when] : 0, 8);
      head.writeUInt16LE((mark ? 1 : 0) | (child ? 2 : 0) | (ring ? 4 : 0) | (ring === 'later' ? 8 : 0), 10);
      for (const [index, value] of [a, b, c, d].entries()) head.writeInt32LE(value, 12 + index * 4);
      return Buffer.concat([head, text]);
    }),
  );
}
