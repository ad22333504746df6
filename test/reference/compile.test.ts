import { expect, it } from 'vitest';
import { compile } from '../../agent/policy/compile.ts';
import { encode } from '../../agent/policy/encode.ts';
import { randomHashKey } from '../../agent/policy/hash.ts';
import type { ReadEntry } from '../../agent/policy/links.ts';
import { pathBytes, pathFromBytes } from '../../agent/policy/pathname.ts';
import { appliesTo } from '../../agent/policy/select.ts';
import { settingsSchema } from '../../agent/policy/settings.ts';
import { resolveSpellings } from '../../agent/policy/spelling.ts';
import { workloadSchema } from '../../agent/workload/workload.ts';
import { KernelRuleSet } from '../agent/policy/kernel.ts';
import { understood } from '../agent/policy/objects.ts';
import { propertySeed } from '../agent/policy/seed.ts';
import { isLong } from '../scale.ts';
import { type Access, decide } from './decision.ts';
import { allFeatures } from './features.ts';
import { plan } from './plan.ts';
import { treeOf } from './random-world.ts';
import { type Round, randomRound, workloadOf } from './round.ts';
import { record } from './stage.ts';
import type { Tree } from './tree.ts';

const rounds = isLong ? 3000 : 150;
/** What the model of the kernel's search knows, and not what its slow hash takes minutes for. */
const features = { ...allFeatures, presets: false, network: false, capabilities: false, deep: false, long: false };

const text = (bytes: string): string => pathFromBytes(Buffer.from(bytes, 'latin1'));

/** The links of a model world, as the agent would read them. */
function readOf(tree: Tree): ReadEntry {
  return (path) => {
    const place = tree.resolve(pathBytes(path).toString('latin1'), undefined, false);
    if (!place?.node) return { kind: 'missing' };
    return place.node.kind === 'link' ? { kind: 'link', target: text(place.node.target) } : { kind: 'other' };
  };
}

/** The round's policies as the agent compiles them, searched as the kernel does. */
function compiled({ policies, settings }: Round, tree: Tree): KernelRuleSet {
  const { mode, postures, annotated, baseline } = settings;
  const agentSettings = settingsSchema.parse({
    defaultFilePosture: postures.file,
    defaultNetworkPosture: postures.network,
    defaultCapabilitiesPosture: postures.capabilities,
    fileBaseline: baseline ? 'on' : 'off',
  });
  const container = workloadSchema.parse({
    ...{ ...record, cgroup: '/sys/fs/cgroup/reference' },
    annotations: mode === 'enabled' ? {} : { 'kubearmor-policy': mode },
    namespaceAnnotations: Object.fromEntries(
      Object.entries(annotated).map(([category, value]) => [`kubearmor-${category}-posture`, value]),
    ),
  });
  const covering = policies
    .map((policy) => understood({ ...policy }))
    .filter((policy) => appliesTo(policy, container, agentSettings));
  const { spellings } = resolveSpellings(covering, readOf(tree));
  const key = randomHashKey();
  return new KernelRuleSet(encode(compile(covering, container, agentSettings, spellings), key), key);
}

/** What the kernel is asked; an exec's own opens and what has no path are not for its search. */
function isSearched({ category, execOpen, path }: Access): boolean {
  return (category === 'file' || category === 'process') && !execOpen && path?.startsWith('/') === true;
}

it(`what is compiled and searched is what the page says, in ${rounds} worlds`, { timeout: 600_000 }, () => {
  const seed = propertySeed('worlds');
  let compared = 0;
  for (let index = 0; index < rounds; index++) {
    const round = randomRound(seed + index, 60, features);
    const tree = treeOf(round.addition);
    const workload = workloadOf(round, tree);
    const kernel = compiled(round, tree);
    for (const operation of round.operations)
      for (const { judged } of plan(tree, operation)?.acts ?? [])
        for (const { access } of judged) {
          if (!isSearched(access)) continue;
          const { verdict, policy, rule } = decide(workload, round.policies, access);
          const expected = policy === undefined ? { verdict } : { verdict, by: rule ? `${policy} ${rule}` : policy };
          const asked = {
            category: access.category as 'file' | 'process',
            ...{ path: text(access.path as string), source: text(access.source as string) },
            ...{
              change: access.change === true,
              write: access.write === true,
              owner: access.owner === true,
              terminal: access.terminal,
            },
            args: access.args?.map(text),
          };
          expect(kernel.decide(asked), `seed ${round.seed}: ${JSON.stringify(access)}`).toEqual(expected);
          compared++;
        }
  }
  expect(compared).toBeGreaterThan(rounds * 20);
});
