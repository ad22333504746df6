import { lstatSync } from 'node:fs';
import type { Workload, WorkloadRegistry } from '../../workload/registry.ts';
import { uidInside } from '../../workload/users.ts';
import { canonicalCapability } from '../capability.ts';
import { canonicalPath, openRoot, readBelow } from '../links.ts';
import { pathBytes } from '../pathname.ts';
import type { Policy } from '../rule.ts';
import type { Settings } from '../settings.ts';
import { below, type Spellings } from '../spelling.ts';
import { type Access, type Explanation, explain } from './explain.ts';
import type { Thing } from './match.ts';
import { operations, type Question } from './question.ts';

/** An explanation, and what was asked as the kernel would see it. */
export interface Answer extends Explanation {
  workload: string;
  operation: string;
  /** The object: a path with its links followed, or a name. */
  object: string;
  /** Owner of the object, as the workload numbers users; absent: it does not exist, or has none. */
  owner?: number;
  generation: number;
}

/** Where the workload's files can be looked at, and where its root lies in its mount namespace. */
export interface WorkloadFiles {
  /** `/`, `/proc/PID/root`; undefined: nothing runs there now. */
  at: string | undefined;
  root: string;
}

/** `ownRoot`: where the root of local workloads lies in their mount namespace. */
export function filesOf(
  workload: Workload,
  registry: Pick<WorkloadRegistry, 'rootPid'>,
  ownRoot: string,
): WorkloadFiles {
  if (workload.hostMounts) return { at: '/', root: ownRoot };
  const pid = registry.rootPid(workload);
  return { at: pid === undefined ? undefined : `/proc/${pid}/root`, root: '/' };
}

/** Answers a question about a workload that is covered by `policies`. */
export function answer(
  question: Question,
  workload: Workload,
  covering: { policies: readonly Policy[]; spellings: Spellings },
  settings: Settings,
  files: WorkloadFiles,
): Answer {
  const { category, object: kind, change, parent, link } = operations[question.operation];
  const path = (written: string, follow: boolean): string => resolve(files, written, follow);
  const object = kind === 'path' ? path(question.object, !link) : question.object;
  const uid = kind === 'path' ? ownerOf(files, object, parent) : undefined;
  const owner = uid === undefined ? undefined : uidInside(workload.users, uid);
  const access: Access = {
    category,
    thing: thingOf(question, object, (written) => path(written, true)),
    program: question.from && path(question.from, true),
    change,
    write: question.operation === 'write',
    owner: question.uid === undefined || owner === undefined || question.uid === owner,
    terminal: question.terminal,
    args: question.args,
  };
  const explanation = explain(covering.policies, workload.record, settings, covering.spellings, access);
  return {
    workload: question.workload,
    operation: question.operation,
    object,
    ...(owner !== undefined && { owner }),
    generation: workload.generation,
    ...explanation,
  };
}

/** The names under which a socket that somebody calls so is known (policy language, 9.1). */
const sockets: Readonly<Record<string, readonly string[]>> = {
  ...{ tcp: ['tcp', 'stream', 'all'], udp: ['udp', 'dgram', 'all'], sctp: ['sctp', 'stream', 'all'] },
  ...{ icmp: ['icmp', 'raw', 'all'], icmpv6: ['icmpv6', 'raw', 'all'], packet: ['packet', 'raw', 'all'] },
};

function thingOf({ operation, object, on }: Question, resolved: string, path: (written: string) => string): Thing {
  switch (operations[operation].category) {
    case 'network': {
      const name = object.toLowerCase();
      return { kind: 'socket', names: sockets[name] ?? [...new Set([name, 'all'])] };
    }
    case 'dns':
      return { kind: 'domain', domain: object.toLowerCase().replace(/\.$/, '') };
    case 'capabilities':
      return { kind: 'capability', name: canonicalCapability(object) };
    case 'syscalls':
      return { kind: 'call', name: object, path: on && path(on) };
    default:
      return { kind: 'path', path: resolved, isProgram: operation === 'exec' };
  }
}

function resolve({ at, root }: WorkloadFiles, written: string, follow: boolean): string {
  const path = below(root, written.length > 1 ? written.replace(/\/+$/, '') : written);
  if (at === undefined) return path;
  using files = openRoot(at);
  return canonicalPath(path, readBelow(root, files.read), follow);
}

/**
 * Owner of an object, or of the directory that it is in, as the node numbers users; undefined: not known. `path` has no links on its
 * way: the system would follow them from the agent's own root.
 */
export function ownerOf({ at, root }: WorkloadFiles, path: string, parent: boolean): number | undefined {
  if (at === undefined) return undefined;
  const owned = parent ? path.slice(0, path.lastIndexOf('/')) : path;
  try {
    return lstatSync(pathBytes(`${at}/${owned.slice(root === '/' ? 1 : root.length + 1)}`)).uid;
  } catch {
    return undefined; // it does not exist, or cannot be looked at
  }
}
