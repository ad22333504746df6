import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, parseTimestamp } from '../../otel/timestamp.ts';

describe('formatTimestamp()', () => {
  it('writes six decimals and cuts the rest', () => {
    expect(formatTimestamp(1661936135368285999n)).toBe('2022-08-31T08:55:35.368285Z');
    expect(formatTimestamp(0n)).toBe('1970-01-01T00:00:00.000000Z');
  });
});

describe('parseTimestamp()', () => {
  it('reads back every time that OTLP can carry', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 18_446_744_073_709_551n), (micros) => {
        expect(parseTimestamp(formatTimestamp(micros * 1000n))).toBe(micros * 1000n);
      }),
    );
  });

  it.each([
    '2022-08-31T08:55:35.368Z',
    '2022-02-30T00:00:00.000000Z',
    '2600-01-01T00:00:00.000000Z',
    '1969-12-31T23:59:59.999999Z',
  ])('refuses %s', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});
