/**
 * What can go wrong between the agent and the kernel, with who can do something about it and whether trying again can help.
 *
 * | code | cause | retry |
 * | --- | --- | --- |
 * | no-library | user: libbpf.so.1 or the FFI module cannot be loaded | no |
 * | not-permitted | user: EPERM or EACCES outside of the verifier: rights or lockdown | no |
 * | not-supported | user: this kernel lacks what was asked for | no |
 * | bad-object | system: the bytes are no BPF object, or lack a program, map or variable that was named | no |
 * | rejected | system: the verifier refused a program; `log` has its last lines | no |
 * | not-found | system: a map has no such key (ENOENT) | no |
 * | full | system: a map has no room for another element (E2BIG) | yes, after a delete |
 * | no-memory | system: ENOMEM, EAGAIN | yes |
 * | closed | system: a handle was used after it was closed | no |
 * | failed | system: any other errno | no |
 */
export const kernelErrorCodes = {
  'no-library': { blame: 'user', retry: false },
  'not-permitted': { blame: 'user', retry: false },
  'not-supported': { blame: 'user', retry: false },
  'bad-object': { blame: 'system', retry: false },
  rejected: { blame: 'system', retry: false },
  'not-found': { blame: 'system', retry: false },
  full: { blame: 'system', retry: true },
  'no-memory': { blame: 'system', retry: true },
  closed: { blame: 'system', retry: false },
  failed: { blame: 'system', retry: false },
} as const satisfies Record<string, { blame: 'user' | 'system'; retry: boolean }>;

export type KernelErrorCode = keyof typeof kernelErrorCodes;

/** A request to the kernel, libbpf or a BPF object that did not succeed; the message says what was tried and what came back. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;
  /** Positive errno, 0 when the failure has none. */
  readonly errno: number;
  /** Last lines that libbpf or the verifier wrote; empty when there were none. */
  readonly log: string;

  constructor(code: KernelErrorCode, message: string, options: { errno?: number; log?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.errno = options.errno ?? 0;
    this.log = options.log ?? '';
  }

  get blame(): 'user' | 'system' {
    return kernelErrorCodes[this.code].blame;
  }

  /** True when the same request may succeed later. */
  get retry(): boolean {
    return kernelErrorCodes[this.code].retry;
  }
}
