/** Policies as people write them: appendix C of the policy language. */

export type Action = 'Allow' | 'Audit' | 'Block';

/** What may stand at each of the three levels (section 2). */
export interface Levels {
  severity?: number;
  tags?: string[];
  message?: string;
  action?: string;
}

export interface WrittenSource {
  path?: string;
  dir?: string;
  recursive?: boolean;
}

/** One entry of a match list, with the fields of all lists. */
export interface WrittenRule extends Levels {
  path?: string;
  execname?: string;
  dir?: string;
  pattern?: string;
  recursive?: boolean;
  readOnly?: boolean;
  ownerOnly?: boolean;
  pts?: boolean;
  allowedArgs?: string[];
  protocol?: string;
  domain?: string;
  capability?: string;
  syscall?: string[];
  fromSource?: WrittenSource[];
}

export const lists = {
  process: ['matchPaths', 'matchDirectories', 'matchPatterns'],
  file: ['matchPaths', 'matchDirectories', 'matchPatterns'],
  network: ['matchProtocols'],
  dns: ['matchDNSQueries'],
  capabilities: ['matchCapabilities'],
  syscalls: ['matchSyscalls', 'matchPaths'],
} as const;

export type Category = keyof typeof lists;
export type List = (typeof lists)[Category][number];

export type WrittenCategory = Levels & { [list in List]?: WrittenRule[] };

export interface WrittenPreset {
  name: string;
  action?: string;
}

export interface WrittenSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}

export interface WrittenPolicy {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: Levels & {
    selector?: WrittenSelector;
    process?: WrittenCategory;
    file?: WrittenCategory;
    network?: WrittenCategory;
    capabilities?: WrittenCategory;
    syscalls?: WrittenCategory;
    presets?: WrittenPreset[];
  };
}

/** Text of a policy as the kernel holds names: one character of the result is one byte. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
