import { actors, fromOf, rootOf, seenBy } from './actors.ts';
import type { Features } from './features.ts';
import type { Descriptor, OpenMode, Operation, OperationKind, PathName, SocketUse, Way } from './operation.ts';
import { above, capabilities } from './plan.ts';
import type { Random } from './random.ts';
import { argumentWords, domains } from './random-policies.ts';
import { namesOf, type Tree } from './tree.ts';

/** Canonical paths that operations are drawn from. */
export interface Targets {
  /** What is there. */
  existing: readonly string[];
  /** What is not there, in directories that are. */
  free: readonly string[];
  executables: readonly string[];
  /** Directories that may be renamed and back without anybody noticing. */
  movable: readonly string[];
  /** Links, by where they lead. */
  links: readonly { path: string; leads: string }[];
}

const weights = { open: 30, exec: 9 };

export function randomOperation(random: Random, tree: Tree, targets: Targets, features: Features): Operation {
  return new Maker(random, tree, targets, features).make();
}

class Maker {
  readonly #random: Random;
  readonly #tree: Tree;
  readonly #targets: Targets;
  readonly #features: Features;
  readonly #actor;

  constructor(random: Random, tree: Tree, targets: Targets, features: Features) {
    this.#random = random;
    this.#tree = tree;
    this.#targets = targets;
    this.#features = features;
    this.#actor = random.pick(actors);
  }

  make(): Operation {
    const operation = this.#one();
    const ring = this.#features.rings && this.#random.chance(12);
    return ring ? { ...operation, ring: this.#random.pick(['now', 'later']) } : operation;
  }

  #one(): Operation {
    const random = this.#random;
    const { names, writes, temporary, memoryPrograms, network, capabilities: caps } = this.#features;
    const kind: OperationKind = random.weighted({
      open: weights.open,
      exec: weights.exec,
      ...(names && {
        ...{ create: 6, mkdir: 4, mknod: 4, symlink: 4, bindLocal: 3, unlink: 6, rmdir: 3, link: 5, rename: 8 },
        ...{ truncate: 4, chmod: 4, chown: 5 },
      }),
      temporary: temporary ? 2 : 0,
      use: writes ? 12 : 0,
      execMemory: memoryPrograms ? 1 : 0,
      socket: network ? 12 : 0,
      question: network ? 5 : 0,
      capability: caps ? 6 : 0,
    });
    const actor = this.#actor.number;
    switch (kind) {
      case 'open':
        return { actor, kind, name: this.#existing(), mode: this.#mode() };
      case 'create':
        return {
          actor,
          kind,
          name: this.#free(),
          mode: random.pick(['read', 'write', 'both']),
          exclusive: random.chance(50),
        };
      case 'temporary':
        return { actor, kind, name: this.#name(above(random.pick(this.#targets.existing))) };
      case 'mkdir':
      case 'bindLocal':
      case 'rmdir':
        return { actor, kind, name: this.#free() };
      case 'mknod':
        return { actor, kind, name: this.#free(), what: random.pick(['file', 'fifo', 'character']) };
      case 'symlink':
        return { actor, kind, name: this.#free(), target: random.pick(this.#targets.existing) };
      case 'unlink': {
        const fresh = random.chance(40);
        return { actor, kind, fresh, name: fresh ? this.#free() : this.#existing() };
      }
      case 'link':
        return { actor, kind, old: this.#existing(), name: this.#free() };
      case 'rename': {
        const exchange = random.chance(30);
        return {
          ...{ actor, kind, old: this.#existing() },
          name: exchange || random.chance(25) ? this.#existing() : this.#free(),
          ...(exchange && { exchange }),
        };
      }
      case 'truncate':
      case 'chmod':
        return { actor, kind, name: this.#existing() };
      case 'chown':
        return { actor, kind, name: this.#existing(), uid: random.pick([0, 1000, 1001]), follow: random.chance(70) };
      case 'use':
        return this.#use(actor);
      case 'exec': {
        const path = random.chance(85) ? random.pick(this.#targets.executables) : random.pick(this.#targets.existing);
        const through = random.chance(12) && !this.#actor.jail;
        return {
          ...{ actor, kind, args: this.#args(), name: through ? { path } : this.#name(path) },
          ...(through && {
            through: {
              program: random.pick(['/usr/bin/two', '/bin/one', '/opt/tools/three', '/srv/inner/four']),
              fork: random.chance(50),
            },
          }),
        };
      }
      case 'execMemory':
        return { actor, kind, name: random.pick(['program', 'x']), args: this.#args() };
      case 'socket':
        return { actor, kind, ...this.#socket() };
      case 'question':
        return {
          actor,
          kind,
          family: random.pick([2, 10]),
          domain: random.pick(domains),
          connected: random.chance(50),
        };
      case 'capability':
        return { actor, kind, capability: random.pick(capabilities) };
    }
  }

  #mode(): OpenMode {
    return this.#random.weighted({
      read: 45,
      write: 15,
      both: 10,
      append: 8,
      truncate: 8,
      'truncate-read': 4,
      path: 4,
    });
  }

  #args(): string[] {
    const random = this.#random;
    return random.list(Number(random.weighted({ 0: 30, 1: 40, 2: 20, 4: 10 })), () => random.pick(argumentWords));
  }

  #existing(): PathName {
    return this.#name(this.#random.pick(this.#targets.existing));
  }

  #free(): PathName {
    return this.#name(this.#random.pick(this.#targets.free));
  }

  /** One of the many ways to say a canonical path. */
  #name(canonical: string): PathName {
    const random = this.#random;
    let path = seenBy(this.#actor, canonical);
    if (path === undefined) return { path: canonical }; // out of the jail: it leads to something else, or nowhere
    if (random.chance(30)) path = this.#throughLink(canonical, path);
    const names = namesOf(path);
    if (names.length > 100) return { path };
    if (random.chance(15)) names.splice(random.integer(names.length), 0, '.');
    if (random.chance(10) && names.length > 1) {
      const at = random.integer(names.length - 1);
      names.splice(at + 1, 0, '..', names[at] as string);
    }
    if (random.chance(25) && names.length > 1) {
      const depth = random.integer(names.length);
      const directory = this.#tree.resolve(`/${names.slice(0, depth).join('/')}`, fromOf(this.#actor), true);
      if (directory?.node?.kind === 'directory') {
        const by = random.pick(['cwd', 'descriptor'] as const);
        return { path: names.slice(depth).join('/'), base: { directory: directory.path, by } };
      }
    }
    return { path: `/${names.join(random.chance(5) ? '//' : '/')}` };
  }

  #throughLink(canonical: string, path: string): string {
    const root = rootOf(this.#actor);
    const fitting = this.#targets.links.filter(
      ({ path: link, leads }) =>
        (canonical === leads || canonical.startsWith(`${leads}/`)) && (root === '/' || link.startsWith(`${root}/`)),
    );
    if (fitting.length === 0) return path;
    const { path: link, leads } = this.#random.pick(fitting);
    return seenBy(this.#actor, link + canonical.slice(leads.length)) ?? path;
  }

  #use(actor: number): Operation {
    const random = this.#random;
    const target = random.pick(this.#targets.existing);
    const descriptor: Descriptor = { by: random.pick(['director', 'actor']) };
    const moved = this.#targets.movable.filter((directory) => target.startsWith(`${directory}/`));
    const what = random.weighted({ nothing: 50, renamed: 35, removed: 15 });
    if (what === 'removed') descriptor.meanwhile = { kind: 'removed' };
    if (what === 'renamed' && moved.length > 0) {
      const from = random.pick(moved);
      // to a name that is free; often one that rules know
      const same = this.#targets.free.filter((to) => !to.startsWith(`${from}/`));
      if (same.length > 0) descriptor.meanwhile = { kind: 'renamed', from, to: random.pick(same) };
    }
    const ways: Way[] = ['plain', 'positioned', 'vector', 'allocate', 'sendfile', 'splice', 'copy'];
    const use = random.chance(65) ? random.pick(ways) : random.pick(['ftruncate', 'fchmod', 'fchown'] as const);
    return { actor, kind: 'use', name: this.#name(target), descriptor, use };
  }

  #socket(): { family: number; type: number; protocol: number; use: SocketUse } {
    const random = this.#random;
    const [inet, inet6] = [2, 10];
    const [stream, dgram, raw] = [1, 2, 3];
    const [family, type, protocol] = random.pick([
      ...[inet, inet6].flatMap((each) => [
        ...[0, 6, 262].map((number) => [each, stream, number] as const),
        ...[0, 17, 136].map((number) => [each, dgram, number] as const),
        ...[1, 58, 17].map((number) => [each, raw, number] as const),
      ]),
      ...([
        [inet, dgram, 1],
        [inet6, dgram, 58],
        [17, raw, 0],
        [17, dgram, 0],
        [1, stream, 0],
        [1, dgram, 0],
      ] as const),
      ...([
        [16, raw, 0],
        [16, dgram, 0],
        [1, 5, 0],
      ] as const),
    ]);
    const use = random.weighted({
      create: 40,
      bind: 12,
      connect: 16,
      listen: 10,
      accept: 8,
      send: type === stream || type === 5 ? 0 : 14,
    });
    return { family, type, protocol, use };
  }
}
