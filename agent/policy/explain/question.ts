import { z } from 'zod';
import { AgentError } from '../../error.ts';
import { maxPathBytes, pathProblem } from '../path.ts';
import type { Category } from '../rule.ts';

interface Operation {
  category: Category;
  object: 'path' | 'name';
  /** No read. */
  change: boolean;
  /** Whose owner counts: that of the folder in which the new name is made. */
  parent: boolean;
  /** About a link itself, where there is one. */
  link: boolean;
}

/** What a question may ask about, by the word that the command line takes. */
export const operations = {
  exec: { category: 'process', object: 'path', change: false, parent: false, link: false },
  open: { category: 'file', object: 'path', change: false, parent: false, link: false },
  write: { category: 'file', object: 'path', change: true, parent: false, link: false },
  truncate: { category: 'file', object: 'path', change: true, parent: false, link: false },
  chmod: { category: 'file', object: 'path', change: true, parent: false, link: false },
  chown: { category: 'file', object: 'path', change: true, parent: false, link: false },
  unlink: { category: 'file', object: 'path', change: true, parent: false, link: true },
  rmdir: { category: 'file', object: 'path', change: true, parent: false, link: true },
  rename: { category: 'file', object: 'path', change: true, parent: false, link: true },
  link: { category: 'file', object: 'path', change: true, parent: false, link: true },
  create: { category: 'file', object: 'path', change: true, parent: true, link: true },
  mkdir: { category: 'file', object: 'path', change: true, parent: true, link: true },
  symlink: { category: 'file', object: 'path', change: true, parent: true, link: true },
  socket: { category: 'network', object: 'name', change: false, parent: false, link: false },
  dns: { category: 'dns', object: 'name', change: false, parent: false, link: false },
  capability: { category: 'capabilities', object: 'name', change: false, parent: false, link: false },
  syscall: { category: 'syscalls', object: 'name', change: false, parent: false, link: false },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

const path = z
  .string()
  .max(maxPathBytes)
  .refine((value) => pathProblem(value, 'either') === undefined, 'an absolute path without "." and ".." components');

/** The body of a request to explain; who acts is left out where it does not matter. */
export const questionSchema = z.strictObject({
  /** `NAMESPACE/POD`, `NAMESPACE/POD/CONTAINER`, a container id, or `host`. */
  workload: z.string().min(1).max(1024),
  operation: z.enum(Object.keys(operations) as [OperationName, ...OperationName[]]),
  /** Program or file; protocol, domain, capability or system call. */
  object: z.string().min(1).max(4095),
  /** Path that a system call is made on. */
  on: path.optional(),
  /** Program that acts (of an exec: the parent's). */
  from: path.optional(),
  /** User that acts, as the workload numbers it; decides who owns. Default: the owner. */
  uid: z.int().nonnegative().max(0xffff_ffff).optional(),
  /** With a controlling terminal. */
  terminal: z.boolean().default(false),
  /** Arguments of a program, the first word not among them. */
  args: z.array(z.string()).max(4096).default([]),
});

export type Question = z.infer<typeof questionSchema>;

/** @throws AgentError `usage` when the object does not fit the operation */
export function checkObject({ operation, object }: Question): void {
  if (operations[operation].object !== 'path') return;
  const problem = pathProblem(object, 'either');
  if (problem !== undefined)
    throw new AgentError('usage', `${operation} ${object}: found ${JSON.stringify(object)}; allowed: ${problem}`);
}
