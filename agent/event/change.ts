import * as abi from '../abi.gen.ts';
import type { Decision } from '../policy/explain/explain.ts';
import type { ReadEntry } from '../policy/links.ts';
import type { RuleNames } from '../policy/ruleset.ts';
import { findSyscall, followsLinks, tellArguments } from '../policy/syscall.ts';
import type { EventRecord } from './record.ts';
import { joinPath, resolveLate } from './syscall.ts';

/** A name that a call has changed. */
export interface ChangedName {
  /** Empty: it could not be read. */
  path: string;
  /** Whose owner counts (policy language, 8.1); undefined: nobody can tell any more. */
  owned: { path: string; parent: boolean } | undefined;
}

/** Who changed it. */
export interface Actor {
  program: string | undefined;
  /** As the workload numbers users. */
  uid: number;
  terminal: boolean;
}

/** An alert, and whether whoever made the change is to be ended. */
export interface JudgedChange {
  path: string;
  outcome: number;
  flags: number;
  result: number;
  refused: boolean;
}

const emptyPath = 0x1000n; // AT_EMPTY_PATH
const followLink = 0x400n; // AT_SYMLINK_FOLLOW
const exchange = 2n; // RENAME_EXCHANGE
const sameUid = 0xffff_ffffn;

/** The names that a call of the tracepoint backend has changed (PICKET_EVENT_CHANGE), resolved after it. */
export function changedNames(
  { operation, syscall, details, path, base, args }: EventRecord,
  withRead: <T>(use: (read: ReadEntry) => T) => T,
): ChangedName[] {
  const call = findSyscall(syscall);
  if (call === undefined) return [];
  const told = new Map(tellArguments(call, details).map(({ argument, value }) => [argument.name, value]));
  const flags = told.get('flags') ?? 0n;
  const follows = followsLinks(call, details);
  const resolve = (name: string, from: string, follow: boolean): string =>
    name === '' ? '' : withRead((read) => resolveLate(from || '/', name, read, follow));
  const isBase = path === '' && (flags & emptyPath) !== 0n && base !== '';
  const isLink = operation === abi.operation.OPERATION_LINK;
  const first = isBase ? joinPath('/', base) : resolve(path, base, isLink ? (flags & followLink) !== 0n : follows);
  if (isLink || operation === abi.operation.OPERATION_RENAME) {
    const [secondPath = '', secondBase = ''] = args;
    const second = resolve(secondPath, secondBase, false);
    // What was renamed is behind its new name by now.
    const old = isLink ? first : second;
    const swapped = !isLink && (flags & exchange) !== 0n;
    return [
      { path: first, owned: { path: old, parent: false } },
      { path: second, owned: swapped ? { path: first, parent: false } : { path: second, parent: true } },
    ];
  }
  return [{ path: first, owned: ownedBy(operation, first, told.get('userid')) }];
}

function ownedBy(operation: number, path: string, uid: bigint | undefined): ChangedName['owned'] {
  switch (operation) {
    case abi.operation.OPERATION_MKNOD:
    case abi.operation.OPERATION_MKDIR:
    case abi.operation.OPERATION_SYMLINK:
      return { path, parent: true };
    case abi.operation.OPERATION_CHOWN: // whose it was before is gone
      return uid !== undefined && BigInt.asUintN(32, uid) === sameUid ? { path, parent: false } : undefined;
    case abi.operation.OPERATION_UNLINK:
    case abi.operation.OPERATION_RMDIR:
      return undefined;
    default:
      return { path, parent: false };
  }
}

/**
 * The one alert of a call: of two names the stronger verdict counts, as in the LSM backend. A rule counts that was in force when
 * the call was made and still is. Undefined: nothing to tell.
 */
export function judgeChange(
  event: EventRecord,
  { rules }: RuleNames,
  withRead: <T>(use: (read: ReadEntry) => T) => T,
  judge: (name: ChangedName) => Decision,
): JudgedChange | undefined {
  const { EVENT_AUDITED, EVENT_PATH_UNRESOLVED } = abi.eventFlags;
  const { OUTCOME_RULE, OUTCOME_POSTURE, OUTCOME_SHIFT } = abi.outcome;
  let strongest: (JudgedChange & { strength: number }) | undefined;
  for (const name of changedNames(event, withRead)) {
    const { verdict, softened, rule } = judge(name);
    if (verdict === 'pass') continue;
    const number =
      rule === undefined
        ? OUTCOME_POSTURE
        : rules.findIndex(
            ({ kind, namespace, policy, path }) =>
              kind === rule.policy.kind &&
              namespace === rule.policy.namespace &&
              policy === rule.policy.name &&
              path === rule.where,
          );
    if (number < 0 || (number === OUTCOME_POSTURE && (event.outcome & OUTCOME_RULE) !== OUTCOME_POSTURE)) continue;
    const denies = verdict === 'deny' || softened === true;
    const audited = denies && (softened === true || (event.flags & EVENT_AUDITED) !== 0);
    const says = denies ? abi.verdict.VERDICT_DENY : abi.verdict.VERDICT_ALERT;
    const strength = !denies ? 1 : audited ? 2 : 3;
    if (strength <= (strongest?.strength ?? 0)) continue;
    strongest = {
      path: name.path,
      outcome: ((says << OUTCOME_SHIFT) | number) >>> 0,
      flags:
        (event.flags & ~EVENT_AUDITED) | (audited ? EVENT_AUDITED : 0) | (name.path === '' ? EVENT_PATH_UNRESOLVED : 0),
      result: 0,
      refused: denies && !audited,
      strength,
    };
  }
  return strongest;
}
