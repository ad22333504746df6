import { decodeTime, isValid } from 'ulid';
import { describe, expect, it } from 'vitest';
import { AlertIds } from '../../../agent/event/alert-id.ts';

describe('AlertIds', () => {
  const ids = new AlertIds('maps 1');
  const now = 1_790_000_000_123;

  it('are ULIDs with the time of the event', () => {
    const id = ids.of(now, 'deny', 17n);
    expect([isValid(id), decodeTime(id), id.length]).toEqual([true, now, 26]);
    expect(isValid(ids.of(0, 'audit', 0n))).toBe(true);
  });

  it('are the same for the same record, whoever makes them', () => {
    expect(new AlertIds('maps 1').of(now, 'audit', 5n)).toBe(ids.of(now, 'audit', 5n));
  });

  it('differ by record, ring, maps and time', () => {
    const others = [
      ids.of(now, 'audit', 5n),
      ids.of(now, 'audit', 6n),
      ids.of(now, 'deny', 5n),
      ids.of(now + 1, 'audit', 5n),
      new AlertIds('maps 2').of(now, 'audit', 5n),
    ];
    expect(new Set(others).size).toBe(others.length);
  });

  it('of one ring and millisecond are in the order of their records', () => {
    const numbers = [0n, 1n, 31n, 32n, 1000n, 1_000_000n, (1n << 48n) - 1n];
    const made = numbers.map((seq) => ids.of(now, 'deny', seq));
    expect(made).toEqual([...made].sort());
  });
});
