import { controlFlags, control as controlLayout } from '../abi.gen.ts';
import type { BpfMap } from './map.ts';
import type { MappedArray } from './memory.ts';
import type { PinFolder } from './pins.ts';

/** `audit`: every refusal passes and is reported, whatever policies and settings say. */
export type Mode = 'enforce' | 'audit';

/**
 * The first word of the one element of picket_control says `audit` in every version of the contract (bpf/abi.h), so that
 * it can be switched without an agent that knows the rest.
 */
const auditOffset = 0;
const firstKey = new Uint8Array(4);
/** `host_slot` and `flags` share one word, as the first two fields do. */
const { fields } = controlLayout;

/** The mode of the programs of this agent. */
export function readMode(control: MappedArray): Mode {
  return BigInt.asUintN(32, control.load(0, auditOffset)) === 0n ? 'enforce' : 'audit';
}

/** Switches at once: a refusal asks for it. The other half of the word is written by the agent alone. */
export function writeMode(control: MappedArray, mode: Mode): void {
  const rest = control.load(0, auditOffset) & ~0xffff_ffffn;
  control.store(0, auditOffset, rest | (mode === 'audit' ? 1n : 0n));
}

/** Who sets up an io_uring under file or network rules is ended; backend `tracepoint` alone asks. */
export function writeIoUring(control: MappedArray, setting: 'allow' | 'deny'): void {
  const flag = BigInt(controlFlags.CONTROL_NO_IO_URING) << 32n;
  const rest = control.load(0, fields.host_slot.offset) & ~flag;
  control.store(0, fields.host_slot.offset, setting === 'deny' ? rest | flag : rest);
}

/** The slot of the node; the flags beside it stay. */
export function writeHostSlot(control: MappedArray, slot: number): void {
  const { offset } = fields.host_slot;
  control.store(0, offset, (control.load(0, offset) & ~0xffff_ffffn) | BigInt(slot));
}

/** The mode of each set of pins, of whatever version; without an agent. */
export function readPinnedModes(pins: PinFolder): Mode[] {
  return eachControl(pins, (value) => (value.readUInt32LE(auditOffset) === 0 ? 'enforce' : 'audit'));
}

/** Switches all sets of pins; only while no agent runs. Returns how many there are. */
export function writePinnedModes(pins: PinFolder, mode: Mode): number {
  return eachControl(pins, (value, map) => {
    value.writeUInt32LE(mode === 'audit' ? 1 : 0, auditOffset);
    map.update(firstKey, value);
  }).length;
}

function eachControl<T>(pins: PinFolder, use: (value: Buffer, map: BpfMap) => T): T[] {
  return pins.sets.flatMap((set) => {
    using map = set.openMap('picket_control');
    const value = map?.lookup(firstKey);
    return map === undefined || value === undefined ? [] : [use(Buffer.from(value), map)];
  });
}
