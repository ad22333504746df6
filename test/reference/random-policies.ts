import type { Features } from './features.ts';
import { callNames, capabilities } from './plan.ts';
import type { Random } from './random.ts';
import { programs } from './skeleton.ts';
import { namesOf } from './tree.ts';
import type { Levels, WrittenCategory, WrittenPolicy, WrittenRule, WrittenSource } from './written.ts';

/** What rules and operations of a round are drawn from, so that they meet. */
export interface Subjects {
  /** Canonical paths, and spellings through links. */
  paths: readonly string[];
  directories: readonly string[];
  executables: readonly string[];
}

export const workload = { namespace: 'reference', labels: { app: 'exerciser', tier: 'back' }, container: 'exerciser' };

export const argumentWords = ['-a', '-b', 'plain', '--exec', 'two words', ''];
export const protocolNames = [
  ...['tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'packet', 'raw', 'stream', 'dgram', 'rdm', 'seqpacket', 'dccp', 'all'],
];

export const domains = [
  ...['example.org', 'www.example.org', 'a.b.example.org', 'WWW.Example.ORG', 'notexample.org', 'org', 'example.com'],
  ...['www.example.org.cluster.local', 'web.svc.cluster.local', 'web.reference.svc.cluster.local', 'web'],
];

/** Text of a byte string for a policy; undefined: it is not UTF-8, so no policy can name it. */
function textOf(bytes: string): string | undefined {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return Buffer.from(text, 'utf8').toString('latin1') === bytes ? text : undefined;
}

export function randomPolicies(random: Random, subjects: Subjects, features: Features): WrittenPolicy[] {
  const writer = new Writer(random, subjects, features);
  const count = random.weighted({ 1: 30, 2: 30, 3: 20, 4: 10, 6: 10 });
  return random.list(Number(count), (index) => writer.policy(index));
}

class Writer {
  readonly #random: Random;
  readonly #subjects: Subjects;
  readonly #features: Features;

  constructor(random: Random, subjects: Subjects, features: Features) {
    this.#random = random;
    this.#subjects = subjects;
    this.#features = features;
  }

  policy(index: number): WrittenPolicy {
    const random = this.#random;
    const cluster = random.chance(30);
    const policy: WrittenPolicy = {
      apiVersion: 'security.kubearmor.com/v1',
      kind: cluster ? 'KubeArmorClusterPolicy' : 'KubeArmorPolicy',
      metadata: { name: `${random.pick(['b', 'a', 'c'])}${index}`, ...(!cluster && { namespace: workload.namespace }) },
      spec: { ...this.#levels(40) },
    };
    if (random.chance(30)) policy.spec.selector = this.#selector(cluster);
    const { network, capabilities: caps } = this.#features;
    const only = random.weighted({
      some: 50,
      file: 30,
      process: 20,
      network: network ? 15 : 0,
      capabilities: caps ? 10 : 0,
    });
    const has = (category: string, percent: number) => only === category || (only === 'some' && random.chance(percent));
    if (has('file', 80)) policy.spec.file = this.#category(() => this.#pathRule('file'));
    if (has('process', 50)) policy.spec.process = this.#category(() => this.#pathRule('process'));
    if (network && has('network', 20))
      policy.spec.network = {
        ...this.#levels(30),
        matchProtocols: random.list(random.between(1, 4), () => ({
          protocol: random.list(random.chance(20) ? 2 : 1, () => random.pick(protocolNames)).join(','),
          ...(random.chance(20) && { pts: random.chance(50) }),
          ...this.#sources(),
          ...this.#levels(60),
        })),
        ...(random.chance(50) && {
          matchDNSQueries: random.list(random.between(1, 3), () => ({
            domain: random.list(random.chance(20) ? 2 : 1, () => random.pick(domains)).join(','),
            ...this.#sources(),
            ...this.#levels(60),
          })),
        }),
      };
    if (caps && has('capabilities', 15))
      policy.spec.capabilities = {
        ...this.#levels(30),
        matchCapabilities: random.list(random.between(1, 4), () => ({
          capability: random.pick([
            ...[...capabilities, 'chown', 'fowner', 'mknod', 'net_raw'],
            ...['CAP_SETUID', 'Sys_Admin', 'setgid,setuid', 'kill'],
          ]),
          ...this.#sources(),
          ...this.#levels(60),
        })),
      };
    if (this.#features.syscalls && random.chance(20)) policy.spec.syscalls = this.#syscalls();
    if (this.#features.presets && random.chance(8))
      policy.spec.presets = [{ name: 'filelessExec', action: random.pick(['Block', 'Audit']) }];
    return policy;
  }

  #syscalls(): WrittenCategory {
    const random = this.#random;
    const syscall = () => random.list(random.between(1, 4), () => random.pick(callNames));
    return {
      ...this.#levels(30),
      matchSyscalls: random.list(random.integer(2), () => ({
        syscall: syscall(),
        ...this.#sources(),
        ...this.#levels(30),
      })),
      matchPaths: random.list(random.integer(4), () => {
        const path = textOf(random.pick(this.#subjects.paths)) ?? '/data';
        return {
          path: random.chance(50) ? path : this.#directory(path),
          ...(random.chance(40) && { recursive: random.chance(90) }),
          syscall: syscall(),
          ...this.#sources(),
          ...this.#levels(30),
        };
      }),
    };
  }

  #levels(percent: number): Levels {
    const random = this.#random;
    return {
      ...(random.chance(percent) && { action: random.pick(['Allow', 'Audit', 'Block', 'block', 'AUDIT', 'allow']) }),
      ...(random.chance(30) && { severity: random.pick([1, 5, 5, 9]) }),
    };
  }

  #selector(cluster: boolean): NonNullable<WrittenPolicy['spec']['selector']> {
    const random = this.#random;
    const own = ['app=exerciser', 'tier=back'];
    const other = ['app=other', 'tier=front'];
    const values = random.chance(80) ? [random.pick(own), random.pick(other)] : [random.pick(other)];
    const expression = random.chance(80)
      ? { key: 'label', operator: 'In', values }
      : { key: 'label', operator: 'NotIn', values: [random.pick(other)] };
    if (cluster) {
      const namespaces = {
        key: 'namespace',
        operator: 'In',
        values: [random.chance(90) ? workload.namespace : 'other'],
      };
      return { matchExpressions: random.chance(50) ? [namespaces] : [expression, namespaces] };
    }
    return random.weighted({ labels: 50, names: 20, expression: 30 }) === 'expression'
      ? { matchExpressions: [expression] }
      : random.chance(50)
        ? { matchLabels: { app: random.chance(85) ? 'exerciser' : 'other' } }
        : {
            matchLabels: {
              'kubearmor.io/container.name': random.pick(['[exerciser]', '[other,exerciser]', '[]', '[other]']),
            },
          };
  }

  #category(make: () => [list: 'matchPaths' | 'matchDirectories' | 'matchPatterns', rule: WrittenRule] | undefined) {
    const category: WrittenCategory = this.#levels(40);
    for (let i = this.#random.between(1, 7); i > 0; i--) {
      const made = make();
      if (!made) continue;
      category[made[0]] ??= [];
      category[made[0]]?.push(made[1]);
    }
    return category;
  }

  #pathRule(
    category: 'file' | 'process',
  ): [list: 'matchPaths' | 'matchDirectories' | 'matchPatterns', rule: WrittenRule] | undefined {
    const random = this.#random;
    const { globs, execname, allowedArgs } = this.#features;
    const kind = random.weighted({
      ...{ path: 40, directory: 40, pattern: globs ? 20 : 0 },
      execname: execname && category === 'process' ? 15 : 0,
    });
    const common: WrittenRule = {
      ...(random.chance(25) && { ownerOnly: random.chance(90) }),
      ...(random.chance(15) && { pts: random.chance(20) }),
      ...(category === 'file' && random.chance(25) && { readOnly: random.chance(90) }),
      ...this.#sources(),
      ...this.#levels(65),
    };
    const path = textOf(random.pick(category === 'file' ? this.#subjects.paths : this.#subjects.executables));
    if (path === undefined || path === '/') return undefined;
    switch (kind) {
      case 'directory':
        return [
          'matchDirectories',
          { dir: this.#directory(path), ...(random.chance(55) && { recursive: random.chance(90) }), ...common },
        ];
      case 'pattern':
        return ['matchPatterns', { pattern: this.#pattern(path), ...common }];
      case 'execname':
      case 'path': {
        const args = category === 'process' && allowedArgs && random.chance(20);
        return [
          'matchPaths',
          {
            ...(kind === 'path' ? { path: this.#noisy(path) } : { execname: namesOf(path).at(-1) ?? 'x' }),
            ...(args && { allowedArgs: random.list(random.between(1, 3), () => random.pick(argumentWords)) }),
            ...common,
          },
        ];
      }
    }
  }

  #noisy(path: string): string {
    return path.length < 4000 && this.#random.chance(5) ? path.replace('/', '//') : path;
  }

  /** A directory above the path, often the next one. */
  #directory(path: string): string {
    const random = this.#random;
    const names = namesOf(path);
    const depth = random.chance(10)
      ? names.length
      : random.chance(60)
        ? names.length - 1
        : random.integer(names.length);
    const directory = `/${names.slice(0, depth).join('/')}`;
    // with its slash it must stay within 4,095 bytes
    if (directory.length > 4000) return '/d/';
    return directory === '/' ? '/' : directory + (random.chance(90) ? '/' : '');
  }

  #sources(): { fromSource?: WrittenSource[] } {
    const random = this.#random;
    if (!this.#features.fromSource || !random.chance(35)) return {};
    return {
      fromSource: random.list(Number(random.weighted({ 1: 70, 2: 25, 3: 5 })), () => {
        const { path } = random.pick(programs);
        const spelled = random.chance(40) ? random.pick(sourceSpellings) : path;
        if (random.chance(55)) return { path: spelled };
        return { dir: this.#directory(spelled), ...(random.chance(60) && { recursive: random.chance(90) }) };
      }),
    };
  }

  /** A pattern that the path fits, or almost. */
  #pattern(path: string): string {
    const random = this.#random;
    const names = namesOf(path).map(quoted);
    const original = namesOf(path);
    for (let i = random.between(1, 3); i > 0; i--) {
      const at = names.length - 1 - Math.min(random.integer(names.length), random.integer(names.length));
      const name = original[at];
      if (name === undefined || names.length !== original.length) break;
      const characters = [...name];
      const first = quoted(characters[0] as string);
      const last = quoted(characters.at(-1) as string);
      const plain = /^[\x20-\x7e]$/.test(characters[0] as string) && /[a-z]/.test(characters[0] as string);
      const kind = random.weighted({
        ...{ star: 20, start: 10, end: 10, around: 10, any: 8, all: 12, levels: 12, braces: 12 },
        ...{ one: name.length > 1 ? 8 : 0, class: plain ? 10 : 0, not: plain ? 6 : 0 },
      });
      if (kind === 'star') names[at] = '*';
      if (kind === 'start') names[at] = `${first}*`;
      if (kind === 'end') names[at] = `*${last}`;
      if (kind === 'around') names[at] = `*${quoted(random.pick(characters))}*`;
      // one byte: a character may have more
      if (kind === 'any') names[at] = '?'.repeat(Math.min(Buffer.byteLength(name), 20));
      if (kind === 'one')
        names[at] = `?${quoted(
          Buffer.from(name)
            .subarray(1)
            .toString('latin1')
            .replace(/[^\x20-\x7e]/g, 'x'),
        )}`;
      if (kind === 'class') names[at] = `[${random.pick(['a-f', first, `xyz${first}`, 'k-z', '.a-c'])}]*`;
      if (kind === 'not') names[at] = `[${random.pick(['!', '^'])}${random.pick(['a-c', first, 'm'])}]*`;
      if (kind === 'braces')
        names[at] = `{${random.pick([`${first}*`, names[at] as string])},${random.pick(['zz', '*.key', 'b'])}}`;
      if (kind === 'all') names.splice(at, names.length - at, '**');
      if (kind === 'levels') names.splice(at, random.integer(2), '**');
      if (kind === 'all') break;
    }
    const pattern = `/${names.join('/')}`;
    return Buffer.byteLength(pattern) > 4095 ? `/${names[0]}/**` : pattern;
  }
}

/** Other ways to say where the actors' programs lie. */
const sourceSpellings = [
  ...['/bin/one', '/bin/two', '/bin/tool', '/srv/bin/one', '/srv/inner/four', '/usr/bin/tool', '/opt/tools/inner/none'],
  ...['/srv/bin/tool', '/usr/bin/plain', '/bin/nothing/here'],
];

function quoted(text: string): string {
  return text.replace(/[*?[\]{},\\]/g, '\\$&');
}
