/**
 * What can go wrong in the agent outside the kernel and the policies, with who can do something about it.
 *
 * | code | cause | retry |
 * | --- | --- | --- |
 * | usage | user: the command line | no |
 * | config | user: a configuration file | no |
 * | not-supported | user: this machine lacks what the agent needs | no |
 * | already-running | user: another agent acts on this machine | no |
 * | not-running | user: no agent answers on the control socket | yes |
 * | refused | user: the agent or the collector refused the request | no |
 * | workload | user: a workload record that cannot be taken over | no |
 * | unreachable | system: the collector does not answer | yes |
 * | failed | system: anything else | no |
 */
export const agentErrorCodes = {
  usage: { blame: 'user', retry: false },
  config: { blame: 'user', retry: false },
  'not-supported': { blame: 'user', retry: false },
  'already-running': { blame: 'user', retry: false },
  'not-running': { blame: 'user', retry: true },
  refused: { blame: 'user', retry: false },
  workload: { blame: 'user', retry: false },
  unreachable: { blame: 'system', retry: true },
  failed: { blame: 'system', retry: false },
} as const satisfies Record<string, { blame: 'user' | 'system'; retry: boolean }>;

export type AgentErrorCode = keyof typeof agentErrorCodes;

/** A request to the agent that did not succeed; the message says what was tried, what was found and what to do next. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get blame(): 'user' | 'system' {
    return agentErrorCodes[this.code].blame;
  }

  get retry(): boolean {
    return agentErrorCodes[this.code].retry;
  }
}

/** Exit statuses of every command. */
export const exitStatus = { ok: 0, failed: 1, usage: 2, notSupported: 3 } as const;
