import { createHash } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'; // Crockford's base 32
const timeDigits = 10;
const restDigits = 16;

/**
 * Ids of alerts: ULIDs whose second half is not random but made of the record that the alert tells of. An agent that is killed
 * between writing an alert to the disk and giving its record back to the kernel makes the same alert again when it comes back;
 * the id is the same, so whoever has it already can drop it.
 *
 * ```
 * 48 bits  milliseconds since 1970
 * 48 bits  number of the record in its ring, so ids of one ring and millisecond are in order
 * 32 bits  hash of the maps' id and the ring
 * ```
 */
export class AlertIds {
  readonly #rings: Record<'deny' | 'audit', bigint>;

  /** `engine` names the maps that the records come from. */
  constructor(engine: string) {
    const hash = (ring: string): bigint =>
      BigInt(createHash('sha256').update(`${engine} ${ring}`).digest().readUInt32LE());
    this.#rings = { deny: hash('deny'), audit: hash('audit') };
  }

  of(timeMs: number, ring: 'deny' | 'audit', seq: bigint): string {
    const rest = (BigInt.asUintN(48, seq) << 32n) | this.#rings[ring];
    return encode(BigInt(timeMs), timeDigits) + encode(rest, restDigits);
  }
}

function encode(value: bigint, digits: number): string {
  let text = '';
  for (let i = 0; i < digits; i++, value >>= 5n) text = alphabet[Number(value & 31n)] + text;
  return text;
}
