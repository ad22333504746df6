import { errno } from './errno.ts';
import { call, callUnless, type Handle } from './libbpf.ts';
import { withLog } from './log.ts';

const kindFunction = 12; // BTF_KIND_FUNC
const kindTypedef = 8; // BTF_KIND_TYPEDEF

/** How a section names its hook, and what the kernel's type information calls it. */
const hookKinds: Record<string, { kind: number; prefix: string }> = {
  lsm: { kind: kindFunction, prefix: 'bpf_lsm_' },
  'lsm.s': { kind: kindFunction, prefix: 'bpf_lsm_' },
  fentry: { kind: kindFunction, prefix: '' },
  fexit: { kind: kindFunction, prefix: '' },
  'fentry.s': { kind: kindFunction, prefix: '' },
  'fexit.s': { kind: kindFunction, prefix: '' },
  tp_btf: { kind: kindTypedef, prefix: 'btf_trace_' },
};

/**
 * The hooks of the running kernel, from its type information. That a hook is listed does not mean that a program may be put there.
 *
 * @throws KernelError from the constructor when the kernel has no type information (/sys/kernel/btf/vmlinux)
 */
export class KernelHooks implements Disposable {
  #btf: Handle | undefined = withLog(() => call('btf__load_vmlinux_btf', 'reading the kernel’s types'));

  /** The BTF id of a section's hook, such as `lsm/file_open`; undefined when this kernel has none or the section names none. */
  find(section: string): number | undefined {
    const slash = section.indexOf('/');
    const hook = hookKinds[section.slice(0, slash)];
    if (hook === undefined || this.#btf === undefined) return undefined;
    const name = `${hook.prefix}${section.slice(slash + 1)}`;
    return callUnless(errno.ENOENT, 'btf__find_by_name_kind', `looking for ${name}`, this.#btf, name, hook.kind);
  }

  /** False when the section names a hook by the kernel's types and this kernel lacks it; true for all other sections. */
  has(section: string): boolean {
    return hookKinds[section.slice(0, section.indexOf('/'))] === undefined || this.find(section) !== undefined;
  }

  [Symbol.dispose](): void {
    const btf = this.#btf;
    this.#btf = undefined;
    if (btf !== undefined) call('btf__free', 'closing the kernel’s types', btf);
  }
}
