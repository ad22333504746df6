import { CollectorError } from '../error.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Unix milliseconds of `15m` ago (s, m, h, d) or of a time such as `2026-11-24T08:00:00Z` or `2026-11-24 08:00` (local).
 * Throws CollectorError `usage` for anything else.
 */
export function parseSince(text: string, nowMs: number): number {
  const ago = /^(\d+)([smhd])$/.exec(text);
  if (ago) return nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new CollectorError(
      'usage',
      `--since ${text}: give a span such as 15m, 2h, 1d, or a time such as 2026-11-24T08:00:00Z`,
    );
  return time;
}
