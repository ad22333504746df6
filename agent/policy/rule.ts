import type { Position } from './diagnostic.ts';
import type { PresetName } from './preset.ts';
import type { Selector } from './select.ts';

export const policyKinds = ['KubeArmorPolicy', 'KubeArmorClusterPolicy', 'KubeArmorHostPolicy'] as const;
export type PolicyKind = (typeof policyKinds)[number];

/** Kind, namespace and name identify a policy; namespace is empty for the kinds of cluster scope. */
export interface PolicyIdentity {
  kind: PolicyKind;
  namespace: string;
  name: string;
}

/** One string for the three; `kind` may be that of an object that is no policy. */
export function policyKey({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return `${kind} ${namespace} ${name}`;
}

export type Category = 'process' | 'file' | 'network' | 'dns' | 'capabilities' | 'syscalls';
export type Action = 'Allow' | 'Audit' | 'Block';

/** What a rule is about. A directory's path has no trailing slash; the root is `/`. */
export type RuleObject =
  | { kind: 'path'; path: string }
  | { kind: 'dir'; path: string; recursive: boolean }
  | { kind: 'glob'; pattern: string }
  | { kind: 'execname'; name: string }
  | { kind: 'protocol'; protocol: string }
  | { kind: 'domain'; domain: string }
  | { kind: 'capability'; capability: string }
  | { kind: 'syscall'; names: readonly string[]; target?: SyscallTarget };

/** Path condition of a syscall rule; a directory that is not recursive means the directory object alone. */
export type SyscallTarget = { kind: 'path'; path: string } | { kind: 'dir'; path: string; recursive: boolean };

/** Who acts; a directory's path has no trailing slash. */
export type RuleSource = { kind: 'path'; path: string } | { kind: 'dir'; path: string; recursive: boolean };

/** The accesses that are in order for a rule: all that are set must hold. */
export interface Qualifiers {
  readOnly: boolean;
  ownerOnly: boolean;
  /** `pts: false`: the caller has no controlling terminal. */
  noTerminal: boolean;
  allowedArgs?: readonly string[];
}

/** One entry of a match list (of a comma list: one value of it), everything inherited already looked up. */
export interface Rule {
  policy: PolicyIdentity & { uid: string };
  category: Category;
  object: RuleObject;
  qualifiers: Qualifiers;
  /** Empty: any source. */
  fromSource: readonly RuleSource[];
  action: Action;
  severity: number;
  tags: readonly string[];
  message: string;
  /** Place in the policy: `spec.file.matchPaths[0]`. */
  where: string;
  position?: Position;
}

/** One preset; it takes its own action only, the other three values are inherited like a rule's. */
export interface PresetRule {
  name: PresetName;
  action: 'Audit' | 'Block';
  severity: number;
  tags: readonly string[];
  message: string;
  where: string;
  position?: Position;
}

/** A policy that was read without refusal: whom it covers and its rules in order of position. */
export interface Policy extends PolicyIdentity {
  uid: string;
  /** `metadata.generation`, 0 when the object has none. */
  generation: number;
  selector: Selector;
  rules: readonly Rule[];
  presets: readonly PresetRule[];
}
