import { readFileSync } from 'node:fs';
import * as abi from '../abi.gen.ts';
import { AgentError } from '../error.ts';
import { mapTypes } from './map.ts';
import type { BpfObject } from './object.ts';
import type { PinFolder, PinRecord, PinSet } from './pins.ts';

/** Pins of an earlier agent that an object can go on with. */
export interface FoundPins {
  set: PinSet;
  record: PinRecord;
  notes: string[];
}

/**
 * The pins that an earlier agent left for this version of the contract. Those that are not whole were never in force on
 * anything and are removed; those whose maps have another shape (the number of the version should tell) are set aside and
 * stay in force beside the new ones.
 *
 * @throws AgentError `already-running` when an agent still uses them
 */
export function findPins(folder: PinFolder, object: BpfObject): FoundPins | undefined {
  const set = folder.of(abi.ABI);
  const record = set.readRecord();
  if (record === undefined) {
    set.remove();
    return undefined;
  }
  const { owner } = record;
  if (owner !== undefined && owner.pid !== process.pid && ownerOf(owner.pid)?.start === owner.start)
    throw new AgentError(
      'already-running',
      `an agent already acts on this machine (process ${owner.pid} uses ${set.path}); stop it first, or use it`,
    );
  const notes: string[] = [];
  for (const wanted of object.maps) {
    if (isConstants(wanted.name)) continue;
    using map = set.openMap(wanted.name);
    const ring = wanted.type === mapTypes.ring;
    const fits =
      map !== undefined &&
      (['type', 'keyBytes', 'valueBytes', 'flags', ...(ring ? [] : (['maxEntries'] as const))] as const).every(
        (field) => map.shape[field] === wanted[field],
      );
    if (!fits) {
      set.setAside();
      return undefined;
    }
    if (map.shape.maxEntries !== wanted.maxEntries)
      notes.push(
        `the ring ${wanted.name} keeps its size of ${map.shape.maxEntries} bytes; "picket unload" before the next start changes it`,
      );
  }
  return { set, record, notes };
}

/** The map of an object's constants, which belongs to its programs and not to the contract. */
export function isConstants(map: string): boolean {
  return map.endsWith('.rodata');
}

/** A process, so that it is not taken for another of the same number later; undefined: there is none. */
export function ownerOf(pid: number): { pid: number; start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the name, may hold anything; start time is the 22nd.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return start === undefined ? undefined : { pid, start };
  } catch {
    return undefined;
  }
}
