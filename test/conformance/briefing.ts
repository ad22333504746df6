import type { Diagnostic } from '../../agent/policy/diagnostic.ts';
import type { PolicyResult } from '../../agent/policy/enforcement.ts';
import type { Product } from './product.ts';
import type { Case, Policy } from './schema.ts';
import type { Announced } from './stage.ts';
import { asked } from './support.ts';

type Annotations = Case['annotations'];

/** The agent answers when a change is in force. */
const CHANGE_LIMIT_MS = 10_000;
/** Before the first step there is no such limit, and an agent's first rules on system calls have the kernel check programs. */
export const PREPARATION_LIMIT_MS = 60_000;

/** What the agent is told for one case: settings, annotations, workloads, policies. Disposing takes everything back. */
export class Briefing implements AsyncDisposable {
  readonly #product: Pick<Product, 'control' | 'settings'>;
  readonly #pods: Record<string, Record<string, string>> = {};
  readonly #namespaces: Record<string, Record<string, string>> = {};
  readonly #known = new Map<string, Announced>();

  constructor(product: Pick<Product, 'control' | 'settings'>) {
    this.#product = product;
  }

  /** Postures, agent settings and annotations of a case, before there are workloads and policies. */
  async begin({ posture, config, annotations }: Pick<Case, 'posture' | 'config' | 'annotations'>): Promise<void> {
    this.#note(annotations);
    const settings = { ...postureSettings(posture), ...asked(config, Object.keys(this.#product.settings)) };
    await this.#put('/v1/settings', { ...settings, namespaceAnnotations: this.#namespaces });
  }

  async changePosture(posture: Partial<Case['posture']>): Promise<void> {
    await this.#put('/v1/settings', postureSettings(posture));
  }

  async annotate(annotations: Annotations): Promise<void> {
    this.#note(annotations);
    if (annotations.namespaces) await this.#put('/v1/settings', { namespaceAnnotations: this.#namespaces });
    const changed = Object.keys(annotations.pods ?? {});
    for (const known of this.#known.values())
      if (changed.includes(known.pod.name) || changed.includes(wholeName(known))) await this.#tell(known);
  }

  /** A container is a workload from the answer on. */
  async register(announced: Announced): Promise<void> {
    await this.#tell(announced);
    // A second attempt at the same container: the agent finds out by itself that the first has ended.
    for (const [id, { pod, name }] of this.#known)
      if (pod === announced.pod && name === announced.name) this.#known.delete(id);
    this.#known.set(announced.container.id, announced);
  }

  /** Some of them may be refused: cases look at what is said about that. */
  async apply(policies: readonly Policy[], limitMs = CHANGE_LIMIT_MS): Promise<void> {
    await this.#put('/v1/policies', { policies }, limitMs);
  }

  async delete(names: readonly string[]): Promise<void> {
    const policies = names.map((name) => ({ name }));
    const { deleted } = await this.#ask<{ deleted: { name: string }[] }>('DELETE', '/v1/policies', { policies });
    const missing = names.filter((name) => !deleted.some((policy) => policy.name === name));
    if (missing.length > 0) throw new Error(`the agent knows no policy ${missing.join(', ')}`);
  }

  /** The state of every policy that was applied, refused ones included. */
  async policies(): Promise<PolicyResult[]> {
    return (await this.#listing()).results;
  }

  /** Everything that is to be said now, of policies and of annotations. */
  async diagnostics(): Promise<Diagnostic[]> {
    const { results, diagnostics } = await this.#listing();
    return [...results.flatMap((result) => result.diagnostics), ...diagnostics];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using rest = new AsyncDisposableStack();
    rest.defer(() => this.#put('/v1/settings', this.#product.settings));
    rest.defer(async () => {
      const policies = (await this.policies()).map(({ kind, namespace, name }) => ({ kind, namespace, name }));
      if (policies.length > 0) await this.#ask('DELETE', '/v1/policies', { policies });
    });
    for (const containerId of this.#known.keys()) await this.#ask('DELETE', '/v1/workloads', { containerId });
  }

  async #tell(announced: Announced): Promise<void> {
    const { pod, name, container } = announced;
    await this.#put('/v1/workloads', {
      cgroup: container.cgroup,
      root: container.root,
      containerId: container.id,
      namespace: pod.namespace,
      pod: pod.name,
      container: name,
      image: 'picket-fixture:latest',
      labels: pod.labels,
      annotations: { ...this.#pods[pod.name], ...this.#pods[wholeName(announced)] },
    });
  }

  #note({ namespaces = {}, pods = {} }: Annotations): void {
    for (const [into, given] of [
      [this.#namespaces, namespaces],
      [this.#pods, pods],
    ] as const)
      for (const [name, annotations] of Object.entries(given)) into[name] = { ...into[name], ...annotations };
  }

  #listing() {
    return this.#ask<{ results: PolicyResult[]; diagnostics: Diagnostic[] }>('GET', '/v1/policies');
  }

  async #put(path: string, body: unknown, limitMs?: number): Promise<void> {
    await this.#ask('PUT', path, body, limitMs);
  }

  #ask<T>(method: string, path: string, body?: unknown, limitMs = CHANGE_LIMIT_MS): Promise<T> {
    return this.#product.control<T>(method, path, body, limitMs);
  }
}

function wholeName({ pod }: Pick<Announced, 'pod'>): string {
  return `${pod.namespace}/${pod.name}`;
}

function postureSettings({ file, network, capabilities }: Partial<Case['posture']>): object {
  return {
    ...(file && { defaultFilePosture: file }),
    ...(network && { defaultNetworkPosture: network }),
    ...(capabilities && { defaultCapabilitiesPosture: capabilities }),
  };
}
