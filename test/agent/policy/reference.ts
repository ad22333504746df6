/*
 * The decision of the policy language as the property tests of the compiler ask for it. The decision itself is
 * test/reference/decision.ts: straight from policy objects as written, sharing no code with the agent.
 */
import * as reference from '../../reference/decision.ts';
import type { WrittenPolicy } from '../../reference/written.ts';

export type { WrittenPolicy };

export interface Access {
  category: 'process' | 'file' | 'syscalls';
  path: string;
  syscall?: string;
  /** Not a read. Never with a program. */
  change: boolean;
  /** Of a change: of the content, not of the name or the attributes. */
  write?: boolean;
  owner: boolean;
  terminal: boolean;
  /** Of a program that is to start, after the first word; undefined: they cannot be read. */
  args?: readonly string[] | undefined;
  /** The program that acts; for a program that is to start: its parent's. */
  source: string;
}

export interface World {
  /** Policies that cover the workload, as objects. */
  policies: WrittenPolicy[];
  filePosture: 'block' | 'audit';
  baseline: boolean;
  audited: boolean;
  disabled: boolean;
  /** All spellings in which a written path is compared. */
  spellings: (path: string) => string[];
}

export interface Decision {
  verdict: 'pass' | 'alert' | 'deny';
  /** `name spec.file.matchPaths[0]` of the rule that is named, or DefaultPosture; undefined with a silent pass. */
  by?: string;
}

export function decide(world: World, access: Access): Decision {
  const { filePosture: posture, baseline, audited, disabled, spellings } = world;
  const workload: reference.Workload = {
    ...{ namespace: 'demo', container: 'sample', labels: {}, baseline, spellings },
    postures: { file: posture, network: posture, capabilities: posture },
    mode: disabled ? 'disabled' : audited ? 'audited' : 'enabled',
  };
  const { verdict, policy, rule } = reference.decide(workload, world.policies, access);
  return policy === undefined ? { verdict } : { verdict, by: rule === undefined ? policy : `${policy} ${rule}` };
}
