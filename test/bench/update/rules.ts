import { type PolicyReading, parsePolicyObject } from '../../../agent/policy/read.ts';

export const namespace = 'bench';

/** A policy of the bench; `kind` is the label of the workloads that it covers. */
export function policy(name: string, kind: string, spec: object): PolicyReading {
  const reading = parsePolicyObject({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name, namespace },
    spec: { selector: { matchLabels: { kind } }, ...spec },
  });
  if (reading.policy === undefined) throw new Error(`policy ${name}: ${JSON.stringify(reading.diagnostics[0])}`);
  return reading;
}

const numbers = (count: number): number[] => [...new Array(count).keys()];

/** As many rules of all shapes: paths, directories, some with sources and qualifiers, every tenth a pattern. */
export function mixedSpec(count: number, salt = ''): object {
  const at = (i: number): string => `/opt/rules${salt}/${i % 100}/item-${i}`;
  const sources = (i: number) => (i % 4 === 0 ? { fromSource: [{ path: `/usr/bin/tool-${i % 20}` }] } : {});
  const each = (kind: number) => numbers(count).filter((i) => i % 10 === kind || (kind === 0 && i % 10 > 4));
  return {
    action: 'Block',
    file: {
      matchPaths: each(0).map((i) => ({ path: at(i), readOnly: i % 3 === 0, ...sources(i) })),
      matchDirectories: each(1).map((i) => ({ dir: `${at(i)}/`, recursive: i % 2 === 0, ...sources(i) })),
      matchPatterns: each(2).map((i) => ({ pattern: `/opt/rules${salt}/${i % 100}/*-${i}.key` })),
    },
    process: {
      matchPaths: each(3).map((i) => ({ path: at(i), ownerOnly: i % 2 === 0 })),
      matchDirectories: each(4).map((i) => ({ dir: `${at(i)}/`, ...sources(i) })),
    },
  };
}
