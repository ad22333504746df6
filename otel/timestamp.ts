/**
 * `UpdatedTime` of alerts: RFC 3339, UTC, always six decimals and `Z`. The nanoseconds are cut, not rounded, so that an
 * alert is never later than its event.
 */
export function formatTimestamp(unixNs: bigint): string {
  const micros = unixNs / 1000n;
  const millis = Number(micros / 1000n);
  return `${new Date(millis).toISOString().slice(0, -1)}${String(micros % 1000n).padStart(3, '0')}Z`;
}

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3})Z$/;

/**
 * Unix nanoseconds of a time written by `formatTimestamp`; undefined for any other text, for dates that do not exist
 * and for times that the 64 bits of OTLP cannot hold (before 1970, after July 2554).
 */
export function parseTimestamp(text: string): bigint | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const millis = Date.parse(`${match[1]}Z`);
  // Date.parse turns the 30th of February into the 2nd of March.
  if (!(millis >= 0) || new Date(millis).toISOString() !== `${match[1]}Z`) return undefined;
  const ns = BigInt(millis) * 1_000_000n + BigInt(match[2] as string) * 1000n;
  return ns < 1n << 64n ? ns : undefined;
}
