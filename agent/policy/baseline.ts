import { ruleFlags } from '../abi.gen.ts';

/** Directories of which everything below may be read although no rule of a file allow-list names it. */
const below = [
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/usr/lib',
  '/usr/lib32',
  '/usr/lib64',
  '/usr/libx32',
  '/usr/local/lib',
  '/etc/ld.so.conf.d',
  '/usr/share/locale',
  '/usr/share/zoneinfo',
];

const readable = [
  '/etc/ld.so.cache',
  '/etc/ld.so.preload',
  '/etc/ld.so.conf',
  '/etc/locale.alias',
  '/etc/localtime',
  '/dev/random',
  '/dev/urandom',
];

const writable = ['/dev/null', '/dev/zero', '/dev/full'];

/**
 * The start-up baseline (policy language, section 15): path and `enum picket_rule_flags`. Compared with canonical paths
 * as they stand, links not followed: a workload could otherwise widen it.
 */
export const baseline: ReadonlyMap<string, number> = new Map([
  ...below.map((path) => [path, ruleFlags.RULE_BASELINE_BELOW] as const),
  ...readable.map((path) => [path, ruleFlags.RULE_BASELINE_EXACT] as const),
  ...writable.map((path) => [path, ruleFlags.RULE_BASELINE_EXACT | ruleFlags.RULE_BASELINE_WRITE] as const),
]);
