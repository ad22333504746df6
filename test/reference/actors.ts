import { director, type Step } from './records.ts';
import { programs, twinPrograms } from './skeleton.ts';
import type { From } from './tree.ts';

/** A process that carries operations out. */
export interface Actor {
  number: number;
  /** Its executable. */
  program: string;
  uid: number;
  terminal: boolean;
  /** Its root directory is /jail. */
  jail: boolean;
}

const users = [0, 1000];
const kinds = users.flatMap((uid) => [false, true].map((terminal) => ({ uid, terminal })));

/** Those in the workload: every program, as every user, with and without a terminal. */
export const actors: Actor[] = programs
  .flatMap(({ path, jail = false }) => kinds.map((kind) => ({ program: path, jail, ...kind })))
  .map((actor, index) => ({ number: index + 1, ...actor }));

/** Those outside, which find out what an operation comes to when nobody judges it. */
export const twins: Actor[] = [false, true]
  .flatMap((jail) => kinds.map((kind) => ({ program: jail ? twinPrograms.jail : twinPrograms.free, jail, ...kind })))
  .map((actor, index) => ({ number: 200 + index, ...actor }));

export function twinOf({ uid, terminal, jail }: Actor): Actor {
  return twins.find((twin) => twin.uid === uid && twin.terminal === terminal && twin.jail === jail) as Actor;
}

export function rootOf({ jail }: Actor): string {
  return jail ? '/jail' : '/';
}

export function fromOf(actor: Actor, cwd = rootOf(actor)): From {
  return { root: rootOf(actor), cwd };
}

/** A canonical path as the actor says it; undefined: it lies outside of its root. */
export function seenBy({ jail }: Actor, path: string): string | undefined {
  if (!jail) return path;
  if (path === '/jail') return '/';
  return path.startsWith('/jail/') ? path.slice('/jail'.length) : undefined;
}

/** Brings an actor up. */
export function spawnSteps(actor: Actor, inWorkload: boolean): Step[] {
  const { number } = actor;
  const steps: Step[] = [
    { actor: director, operation: 'spawn', a: number, b: inWorkload ? 1 : 0, strings: [actor.program] },
    { actor: number, operation: 'terminal', a: actor.terminal ? 1 : 0 },
  ];
  if (actor.jail) steps.push({ actor: number, operation: 'chroot', strings: ['/jail'] });
  steps.push({ actor: number, operation: 'user', a: actor.uid });
  return steps;
}
