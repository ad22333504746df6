/*
 * What an operation is to the policy language (section 8.1 and its neighbours): the accesses that it makes, in order. And
 * what it takes to carry it out: steps before, the call itself, steps that leave the world as it was.
 */
import { type Actor, actors, fromOf, rootOf, seenBy } from './actors.ts';
import type { Access } from './decision.ts';
import type { OpenMode, Operation, PathName } from './operation.ts';
import { director, kinds, type Step, ways } from './records.ts';
import { type Entry, joined, type Node, namesOf, type Place, type Tree } from './tree.ts';

/** An access, and what the call returns when it is refused. */
export interface Judged {
  access: Access;
  refusal: number;
}

/** One call whose result is compared. */
export interface Act {
  before: Step[];
  /** As rules on system calls see it. */
  call?: Access;
  /** Of the actor; the number is filled in. */
  step: Omit<Step, 'actor'>;
  judged: Judged[];
}

export interface Plan {
  prepare: Step[];
  acts: Act[];
  restore: Step[];
}

const EACCES = 13;
const EPERM = 1;
/** exec succeeded, and the program that was started says why it could not go on. */
const EXITED = 256;
const KILLED = 512 + 9;

/** How a refusal shows: by an error, or in the tracepoint backend by SIGKILL, once an open or an exec has happened. */
export type Enforcement = 'lsm' | 'tracepoint';

const O = {
  ...{ RDONLY: 0, WRONLY: 1, RDWR: 2, CREAT: 0o100, EXCL: 0o200, TRUNC: 0o1000, APPEND: 0o2000, NONBLOCK: 0o4000 },
  ...{ DIRECTORY: 0o200000, PATH: 0o10000000, TMPFILE: 0o20200000 },
};
const openFlags: Record<OpenMode, number> = {
  read: O.RDONLY,
  write: O.WRONLY,
  both: O.RDWR,
  append: O.WRONLY | O.APPEND,
  truncate: O.WRONLY | O.TRUNC,
  'truncate-read': O.RDONLY | O.TRUNC,
  path: O.PATH,
};
const S = { REG: 0o100000, FIFO: 0o010000, CHR: 0o020000 };
const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_NOFOLLOW = 0x100;
const RENAME_EXCHANGE = 2;
const capabilityNumbers: Record<string, number> = {
  ...{ setgid: 6, setuid: 7, setpcap: 8, net_admin: 12, ipc_lock: 14, sys_chroot: 18, sys_admin: 21, sys_nice: 23 },
  ...{ sys_resource: 24, sys_time: 25, wake_alarm: 35 },
};
export const capabilities = Object.keys(capabilityNumbers);
const owned = 1001;
const slot = { base: 0, file: 1, socket: 2, oldBase: 3 };
const directorSlot = 10;

/** Undefined: the operation makes no sense in this world (a path leads nowhere). */
export function plan(tree: Tree, operation: Operation, by: Enforcement = 'lsm'): Plan | undefined {
  const planner = new Planner(tree, operation, by);
  const made = planner.plan();
  for (const act of made?.acts ?? []) {
    if (operation.ring) {
      if (!inRing.has(act.step.operation)) return undefined;
      act.step.ring = operation.ring;
      continue; // the call is io_uring_enter
    }
    const call = callOf(act, planner.opened);
    if (call) act.call = { category: 'syscalls', ...call, ...planner.who };
  }
  return made;
}

class Planner {
  readonly #tree: Tree;
  readonly #operation: Operation;
  readonly #actor: Actor;
  readonly #kills: boolean;

  constructor(tree: Tree, operation: Operation, by: Enforcement) {
    this.#tree = tree;
    this.#kills = by === 'tracepoint';
    this.#operation = operation;
    this.#actor = actors.find(({ number }) => number === operation.actor) as Actor;
  }

  /** Canonical path of what is opened, judged or not. */
  opened: string | undefined;

  get who(): Pick<Access, 'terminal' | 'source'> {
    return { terminal: this.#actor.terminal, source: this.#actor.program };
  }

  plan(): Plan | undefined {
    const operation = this.#operation;
    const working = this.#names().flatMap(([{ base }]) => (base?.by === 'cwd' ? [base.directory] : []));
    if (new Set(working).size > 1) return undefined; // there is one working directory
    switch (operation.kind) {
      case 'open': {
        const { mode } = operation;
        const at = this.#place(operation.name, true);
        if (!at?.node) return undefined;
        this.opened = at.path;
        const change = !['read', 'path'].includes(mode);
        const flags = openFlags[mode] | O.NONBLOCK;
        return this.#call(
          { operation: 'open', a: flags, strings: [operation.name.path], ...(this.#kills && { child: true }) },
          mode === 'path' ? [] : [this.#file(at.path, at.node.uid, change, change)],
          { restore: mode.startsWith('truncate') ? this.#refill(at) : [] },
        );
      }
      case 'create': {
        const at = this.#place(operation.name, true);
        if (!at || at.node) return undefined;
        const flags = openFlags[operation.mode] | O.CREAT | (operation.exclusive ? O.EXCL : 0);
        return this.#creation(at, { operation: 'open', a: flags, b: 0o777, strings: [operation.name.path] });
      }
      case 'temporary': {
        const at = this.#place(operation.name, true);
        if (at?.node?.kind !== 'directory') return undefined;
        const path = at.path === '/' ? '/#1' : `${at.path}/#1`;
        return this.#call({ operation: 'open', a: O.TMPFILE | O.RDWR, b: 0o777, strings: [operation.name.path] }, [
          this.#file(path, this.#actor.uid, true),
        ]);
      }
      case 'mkdir': {
        const at = this.#place(operation.name, false);
        return this.#creation(at, { operation: 'mkdir', a: 0o777, strings: [operation.name.path] });
      }
      case 'mknod': {
        const at = this.#place(operation.name, false);
        const type = { file: S.REG, fifo: S.FIFO, character: S.CHR }[operation.what];
        const step = { operation: 'mknod', a: type | 0o777, b: 1, c: 3, strings: [operation.name.path] } as const;
        return this.#creation(at, step, operation.what === 'character' ? ['mknod'] : []);
      }
      case 'symlink': {
        const at = this.#place(operation.name, false);
        return this.#creation(at, { operation: 'symlink', strings: [operation.target, operation.name.path] });
      }
      case 'bindLocal': {
        if (operation.name.base?.by === 'descriptor') return undefined;
        const at = this.#place(operation.name, false);
        return this.#creation(at, { operation: 'bindLocal', strings: [operation.name.path] });
      }
      case 'unlink': {
        const at = this.#place(operation.name, false);
        if (!at || isFixed(at.node) || (at.node !== undefined) === operation.fresh) return undefined;
        const step = { operation: 'unlink', strings: [operation.name.path] } as const;
        if (!at.node)
          return this.#call(step, [this.#file(at.path, owned, true)], {
            prepare: [make({ path: at.path, kind: 'empty', uid: owned })],
            restore: [remove(at.path)],
          });
        return this.#call(step, [this.#file(at.path, at.node.uid, true)], { restore: this.#remake(at) });
      }
      case 'rmdir': {
        const at = this.#place(operation.name, false);
        if (!at || at.node) return undefined;
        return this.#call(
          { operation: 'unlink', a: AT_REMOVEDIR, strings: [operation.name.path] },
          [this.#file(at.path, owned, true)],
          { prepare: [make({ path: at.path, kind: 'directory', uid: owned })], restore: [remove(at.path)] },
        );
      }
      case 'link': {
        const old = this.#place(operation.old, false);
        const at = this.#place(operation.name, false);
        if (!old?.node || old.node.kind === 'directory' || !at || at.node) return undefined;
        return this.#call(
          {
            operation: 'link',
            c: this.#slot(operation.old, slot.oldBase),
            strings: [operation.old.path, operation.name.path],
          },
          [
            // fs.protected_hardlinks: what is no regular file is linked by its owner alone
            ...this.#capability('fowner', !isRegular(old.node) && old.node.uid !== this.#actor.uid),
            this.#file(old.path, old.node.uid, true),
            this.#file(at.path, at.parent.uid, true),
          ],
          { restore: [remove(at.path)] },
        );
      }
      case 'rename':
        return this.#rename(operation.old, operation.name, operation.exchange === true);
      case 'truncate': {
        const at = this.#place(operation.name, true);
        if (!at?.node || at.node.kind === 'directory' || operation.name.base?.by === 'descriptor') return undefined;
        return this.#call(
          { operation: 'truncate', strings: [operation.name.path] },
          [this.#file(at.path, at.node.uid, true)],
          { restore: this.#refill(at) },
        );
      }
      case 'chmod': {
        const at = this.#place(operation.name, true);
        if (!at?.node) return undefined;
        return this.#call({ operation: 'chmod', a: 0o777, strings: [operation.name.path] }, [
          this.#file(at.path, at.node.uid, true),
          ...this.#capability('fowner', at.node.uid !== this.#actor.uid),
        ]);
      }
      case 'chown': {
        const at = this.#place(operation.name, operation.follow);
        if (!at?.node) return undefined;
        const { uid, follow } = operation;
        return this.#call(
          {
            ...{ operation: 'chown', a: uid, b: -1, c: follow ? 0 : AT_SYMLINK_NOFOLLOW },
            strings: [operation.name.path],
          },
          [
            this.#file(at.path, at.node.uid, true),
            ...this.#capability('chown', !(uid === this.#actor.uid && at.node.uid === uid)),
          ],
          { restore: [own(at.path, at.node.uid)] },
        );
      }
      case 'use':
        return this.#use();
      case 'exec':
        return this.#exec();
      case 'execMemory': {
        const { name, args } = operation;
        const access: Access = {
          ...{ category: 'process', path: `memfd:${name}`, owner: true, args, presets: ['filelessExec'] },
          ...this.who,
        };
        return this.#call({ operation: 'execMemory', strings: [name, name, ...args] }, [
          { access, refusal: this.#kills ? KILLED : EACCES },
        ]);
      }
      case 'socket':
        return this.#socket();
      case 'question':
        return this.#question();
      case 'capability': {
        const { capability } = operation;
        const refusal = capability === 'sys_nice' ? EACCES : EPERM;
        const needed = capability === 'ipc_lock' ? EPERM : refusal;
        return this.#call(
          { operation: 'capability', a: capabilityNumbers[capability] ?? 0 },
          this.#capability(capability, true, needed),
        );
      }
    }
  }

  /** `write`: a change of the content, not of the name or the attributes. */
  #file(path: string, uid: number, change: boolean, write = false): Judged {
    const access: Access = { category: 'file', path, change, write, owner: uid === this.#actor.uid, ...this.who };
    return { access, refusal: this.#kills ? KILLED : EACCES };
  }

  /** The kernel asks for a capability only when there is a need, and only who holds it is judged. */
  #capability(capability: string, needed: boolean, refusal = EPERM): Judged[] {
    if (!needed || this.#actor.uid !== 0) return [];
    return [{ access: { category: 'capabilities', capability, ...this.who }, refusal }];
  }

  #place({ path, base }: PathName, follow: boolean): Place | undefined {
    const cwd = base?.directory;
    if (cwd !== undefined && seenBy(this.#actor, cwd) === undefined) return undefined;
    const place = this.#tree.resolve(path, fromOf(this.#actor, cwd), follow);
    // a name that ends in a slash, or in dots, cannot be created or removed
    return place && !follow && /(^|\/)(\.{1,2})?$/.test(path) ? undefined : place;
  }

  /** The slot in which the base of a name comes, -1 for the working directory. */
  #slot({ base }: PathName, number: number): number {
    return base?.by === 'descriptor' ? number : -1;
  }

  #names(): [PathName, number][] {
    const operation = this.#operation;
    const names: [PathName, number][] = [];
    if ('name' in operation && typeof operation.name === 'object') names.push([operation.name, slot.base]);
    if ('old' in operation) names.push([operation.old, slot.oldBase]);
    return names;
  }

  /** Hands over the directories that names are relative to. */
  #bases(): Step[] {
    return this.#names().flatMap(([{ base }, number]): Step[] => {
      if (!base) return [];
      if (base.by === 'cwd')
        return [
          { actor: this.#actor.number, operation: 'chdir', strings: [seenBy(this.#actor, base.directory) ?? '/'] },
        ];
      return [
        ...[opened(base.directory, O.PATH | O.DIRECTORY)],
        { actor: this.#actor.number, operation: 'receive', a: number, b: directorSlot },
      ];
    });
  }

  #call(
    step: Omit<Step, 'actor'>,
    judged: Judged[],
    { prepare = [], restore = [] }: { prepare?: Step[]; restore?: Step[] } = {},
  ): Plan {
    const main = this.#names().find(([, number]) => number === slot.base);
    const withBase = main && !('d' in step) ? { ...step, d: this.#slot(main[0], slot.base) } : step;
    const moved = this.#names().some(([{ base }]) => base?.by === 'cwd');
    return {
      prepare,
      acts: [{ before: this.#bases(), step: withBase, judged }],
      restore: [
        ...restore,
        ...(moved ? [{ actor: this.#actor.number, operation: 'chdir', strings: ['/'] } as Step] : []),
      ],
    };
  }

  #creation(at: Place | undefined, step: Omit<Step, 'actor'>, capability: string[] = []): Plan | undefined {
    if (!at || at.node) return undefined;
    const judged = [
      this.#file(at.path, at.parent.uid, true),
      ...capability.flatMap((name) => this.#capability(name, true)),
    ];
    return this.#call(step, judged, { restore: [remove(at.path)] });
  }

  #rename(oldName: PathName, name: PathName, exchange: boolean): Plan | undefined {
    const old = this.#place(oldName, false);
    const at = this.#place(name, false);
    if (!old?.node || !at || old.node === at.node || (exchange && !at.node)) return undefined;
    if (!exchange && isFixed(at.node)) return undefined;
    const back: Step = {
      ...{ actor: director, operation: 'rename', when: 'succeeded', a: exchange ? RENAME_EXCHANGE : 0 },
      strings: [at.path, old.path],
    };
    const owner = at.node ? at.node.uid : at.parent.uid;
    return this.#call(
      {
        ...{ operation: 'rename', a: exchange ? RENAME_EXCHANGE : 0, c: this.#slot(oldName, slot.oldBase) },
        strings: [oldName.path, name.path],
      },
      [this.#file(old.path, old.node.uid, true), this.#file(at.path, owner, true)],
      { restore: [back, ...(exchange || !at.node ? [] : this.#remake(at))] },
    );
  }

  /** Gives a file its content back. */
  #refill(place: Place): Step[] {
    const steps = ['empty', 'program', 'script', 'self'].includes(place.node?.kind ?? '') ? this.#remake(place) : [];
    if (!this.#kills || place.node?.kind === 'self') return steps;
    return steps.map(({ when: _, ...step }) => step); // a refused open has happened
  }

  /** Makes again what stood there. */
  #remake({ path, node }: Place): Step[] {
    if (!node || isFixed(node)) return [];
    return [{ ...make(entryOf(path, node)), when: 'succeeded' }];
  }

  #use(): Plan | undefined {
    const { name, descriptor, use } = this.#operation as Extract<Operation, { kind: 'use' }>;
    const { meanwhile, by } = descriptor;
    const at = this.#place(name, true);
    if (!at?.node || !['empty', 'program', 'script'].includes(at.node.kind)) return undefined;
    if (meanwhile?.kind === 'renamed') {
      const to = this.#tree.resolve(meanwhile.to, undefined, false);
      if (!to || to.node || !at.path.startsWith(`${meanwhile.from}/`)) return undefined;
      if (this.#tree.mountOf(meanwhile.from) !== this.#tree.mountOf(to.path)) return undefined;
    }
    const path = meanwhile?.kind === 'renamed' ? meanwhile.to + at.path.slice(meanwhile.from.length) : at.path;
    const { number } = this.#actor;
    const { uid } = at.node;
    const open: Act[] = [];
    const prepare: Step[] = [];
    if (by === 'director') prepare.push(opened(at.path, O.RDWR));
    else
      open.push({
        before: this.#bases(),
        step: {
          ...{ operation: 'open', a: O.RDWR, c: slot.file, d: this.#slot(name, slot.base) },
          strings: [name.path],
        },
        judged: [this.#file(at.path, uid, true, true)],
      });
    const before: Step[] = [];
    if (by === 'director') before.push({ actor: number, operation: 'receive', a: slot.file, b: directorSlot });
    if (meanwhile?.kind === 'renamed')
      before.push({ actor: director, operation: 'rename', strings: [meanwhile.from, meanwhile.to] });
    if (meanwhile?.kind === 'removed') before.push({ actor: director, operation: 'unlink', strings: [at.path] });
    const needed = {
      fchmod: this.#capability('fowner', uid !== this.#actor.uid),
      fchown: this.#capability('chown', uid !== this.#actor.uid),
    };
    const step: Record<string, Omit<Step, 'actor'>> = {
      ftruncate: { operation: 'ftruncate', a: slot.file },
      fchmod: { operation: 'fchmod', a: 0o777, b: slot.file },
      fchown: { operation: 'fchown', a: uid, b: -1, c: slot.file },
    };
    const judged = [
      this.#file(path, uid, true, !(use in step)),
      ...(use === 'fchmod' || use === 'fchown' ? needed[use] : []),
    ];
    const restore: Step[] = [{ actor: number, operation: 'close', a: slot.file, optional: true }];
    if (meanwhile?.kind === 'renamed')
      restore.push({ actor: director, operation: 'rename', strings: [meanwhile.to, meanwhile.from] });
    restore.push({ ...make(entryOf(at.path, at.node)) });
    if (name.base?.by === 'cwd') restore.push({ actor: number, operation: 'chdir', strings: ['/'] });
    return {
      prepare,
      acts: [
        ...open,
        {
          before,
          step: step[use] ?? { operation: 'write', a: slot.file, b: ways[use as keyof typeof ways] },
          judged,
        },
      ],
      restore,
    };
  }

  /** The accesses of an exec: what the kernel opens, and what is to run, a script first and then its interpreter. */
  #execution(
    place: Place,
    args: string[],
    source: string,
    parent: string,
    offset: number,
    killed = KILLED,
  ): Judged[] | undefined {
    const { node, path } = place;
    if (!node || !['empty', 'program', 'script', 'self'].includes(node.kind)) return undefined;
    const owner = node.uid === this.#actor.uid;
    const { terminal } = this.#actor;
    const refusal = this.#kills ? killed : EACCES + offset;
    const presets = /^\/(dev|run)\/shm\//.test(path) ? ['filelessExec'] : [];
    const judged: Judged[] = [
      { access: { category: 'file', path, change: false, owner, terminal, source, execOpen: true }, refusal },
      { access: { category: 'process', path, owner, terminal, source: parent, args, presets }, refusal },
    ];
    if (node.kind !== 'script') return judged;
    const interpreter = this.#tree.resolve(node.target, { root: rootOf(this.#actor), cwd: rootOf(this.#actor) });
    if (interpreter?.node?.kind === 'script' || !interpreter) return undefined;
    const rest = this.#execution(interpreter, args, source, parent, offset, killed);
    // the tracepoint sees the program that runs in the end
    return this.#kills ? rest : rest && [...judged, ...rest];
  }

  #exec(): Plan | undefined {
    const { name, args, through } = this.#operation as Extract<Operation, { kind: 'exec' }>;
    const { program } = this.#actor;
    const at = this.#place(name, true);
    if (!at) return undefined;
    if (!through) {
      this.opened = at.path;
      const judged = this.#execution(at, args, program, program, 0);
      return judged && this.#call({ operation: 'exec', strings: [name.path, 'word', ...args] }, judged);
    }
    const between = this.#tree.resolve(through.program, fromOf(this.#actor));
    if (between?.node?.kind !== 'self' || name.base || at.node?.kind === 'self') return undefined;
    const words = [through.fork ? '--fork' : '--exec', name.path, ...args];
    // a program in between that has a child killed says so in its exit status
    const killed = through.fork ? EXITED + (KILLED & 255) : KILLED;
    const first = this.#execution(between, words, program, program, 0);
    // without a fork the program in between is gone when the next one starts, and was never a parent
    const second = this.#execution(at, args, between.path, through.fork ? between.path : program, EXITED, killed);
    if (!first || !second) return undefined;
    return this.#call({ operation: 'exec', d: -1, strings: [through.program, 'word', ...words] }, [
      ...first,
      ...second,
    ]);
  }

  #question(): Plan {
    const { family, domain, connected } = this.#operation as Extract<Operation, { kind: 'question' }>;
    const { number } = this.#actor;
    const socket = { family, type: 2, protocol: 0 };
    const judged: Judged[] = [{ access: { category: 'dns', domain, ...this.who }, refusal: EACCES }];
    if (!connected) judged.unshift({ access: { category: 'network', socket, ...this.who }, refusal: EACCES });
    const prepare: Step[] = [{ actor: director, operation: 'socket', a: family, b: 2, c: 0, d: directorSlot }];
    if (connected) prepare.push({ actor: director, operation: 'connect', a: directorSlot, b: 53 });
    return {
      prepare,
      acts: [
        {
          before: [{ actor: number, operation: 'receive', a: slot.socket, b: directorSlot }],
          step: { operation: 'question', a: slot.socket, b: connected ? 1 : 0, strings: [domain] },
          judged,
        },
      ],
      restore: [
        { actor: number, operation: 'close', a: slot.socket, optional: true },
        { actor: director, operation: 'close', a: directorSlot, optional: true },
      ],
    };
  }

  #socket(): Plan {
    const { family, type, protocol, use } = this.#operation as Extract<Operation, { kind: 'socket' }>;
    const access: Access = { category: 'network', socket: { family, type, protocol }, ...this.who };
    const { number } = this.#actor;
    const raw = use === 'create' && (family === 17 || (type === 3 && (family === 2 || family === 10)));
    const judged = [{ access, refusal: EACCES }, ...this.#capability('net_raw', raw)];
    const create = { operation: 'socket', a: family, b: type, c: protocol } as const;
    const close: Step = { actor: number, operation: 'close', a: slot.socket, optional: true };
    if (use === 'create')
      return {
        prepare: [],
        acts: [{ before: [], step: { ...create, d: slot.socket }, judged }],
        restore: [{ ...close, when: 'succeeded' }],
      };
    const prepare: Step[] = [{ actor: director, ...create, d: directorSlot }];
    if (use === 'accept')
      prepare.push(
        ...(['bind', 'listen'] as const).map(
          (operation): Step => ({ actor: director, operation, a: directorSlot, optional: true }),
        ),
      );
    return {
      prepare,
      acts: [
        {
          before: [{ actor: number, operation: 'receive', a: slot.socket, b: directorSlot }],
          step: { operation: use, a: slot.socket, b: use === 'bind' ? 0 : 9 },
          judged,
        },
      ],
      restore: [close, { actor: director, operation: 'close', a: directorSlot, optional: true }],
    };
  }
}

/** What is not taken away, because it cannot be made again as it was. */
const isFixed = (node: Node | undefined): boolean => node?.kind === 'directory' || node?.kind === 'character';
const isRegular = ({ kind }: Node): boolean => ['empty', 'program', 'script', 'self'].includes(kind);
const opened = (path: string, flags: number): Step => ({
  ...{ actor: director, operation: 'open', a: flags, c: directorSlot },
  strings: [path],
});
const remove = (path: string): Step => ({ actor: director, operation: 'remove', strings: [path] });
const own = (path: string, uid: number): Step => ({
  ...{ actor: director, operation: 'chown', a: uid, b: uid, c: AT_SYMLINK_NOFOLLOW },
  strings: [path],
});

function entryOf(path: string, { kind, uid, target }: Node): Entry {
  return { path, kind, uid, target };
}

/** Makes an entry of a world, everybody may do everything with it. */
export function make({ path, kind, uid, target = '', hard, device = 0 }: Entry): Step {
  if (hard) return { actor: director, operation: 'link', strings: [target, path] };
  if (kind === 'socket') throw new Error('worlds have no sockets');
  return { actor: director, operation: 'make', a: kinds[kind], b: 0o777, c: uid, d: device, strings: [path, target] };
}

const inRing = new Set<Step['operation']>(['open', 'mkdir', 'unlink', 'symlink', 'link', 'rename', 'write']);

/** The system call behind an act, as rules name it; undefined: one that the exerciser makes for itself too. */
function callOf(
  { step: { operation, b }, judged }: Act,
  opened?: string,
): Pick<Access, 'syscall' | 'path' | 'secondPath'> | undefined {
  const syscall = operation === 'write' && b === ways.allocate ? 'fallocate' : calls[operation];
  if (syscall === undefined) return undefined;
  const paths = judged.flatMap(({ access: { category, path } }) =>
    category === 'file' && path !== undefined ? [path] : [],
  );
  if (operation === 'exec') return { syscall, path: opened ?? paths[0] }; // what is opened on the way is not in the call
  return { syscall, path: paths[0] ?? opened, ...(paths[1] !== undefined && { secondPath: paths[1] }) };
}

const calls: Partial<Record<Step['operation'], string>> = {
  ...{ open: 'openat', mkdir: 'mkdirat', mknod: 'mknodat', symlink: 'symlinkat', link: 'linkat', unlink: 'unlinkat' },
  ...{ rename: 'renameat2', truncate: 'truncate', ftruncate: 'ftruncate', chmod: 'fchmodat', fchmod: 'fchmod' },
  ...{ chown: 'fchownat', fchown: 'fchown', exec: 'execveat', connect: 'connect', listen: 'listen', accept: 'accept4' },
};
export const callNames = [...Object.values(calls), 'fallocate'];

/** The directory above. */
export function above(path: string): string {
  return joined(namesOf(path).slice(0, -1));
}
