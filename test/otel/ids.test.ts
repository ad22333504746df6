import { describe, expect, it } from 'vitest';
import { alertSpanId, processSpanId, root, traceHour, traceId } from '../../otel/ids.ts';

// The test vector of the alert reference, section 7.
const boot = '0b6f7d0e-3c1d-4f9e-8a43-2f1c9d3f7b55';
const cluster = '7c1f0a52-4a7e-4a5e-9d0c-5b9f5b1f6f10';
const container = '1f613df8390b9d2e4e89d0323ac0b9a2e7d7ddcc460720e15074f8c497aec0df';

describe('traceId()', () => {
  it('gives the id of the test vector', () => {
    expect(traceId(cluster, container, root(boot, 255296, 81250000000n), 1661936135)).toBe(
      '4b801ecef4da8ba67f6098388466e4a3',
    );
  });

  it('changes with the hour only', () => {
    const tree = root(boot, 255296, 81250000000n);
    const start = 461648 * 3600;
    expect(traceId(cluster, container, tree, start)).toBe(traceId(cluster, container, tree, start + 3599));
    expect(traceId(cluster, container, tree, start)).not.toBe(traceId(cluster, container, tree, start + 3600));
  });
});

describe('processSpanId()', () => {
  it('gives the id of the test vector', () => {
    expect(processSpanId(boot, 296264, 95301000000n)).toBe('fe53e2bce12ff43b');
  });

  it('keeps all digits of a start time past 2^53', () => {
    expect(processSpanId(boot, 1, 9007199254740993n)).not.toBe(processSpanId(boot, 1, 9007199254740992n));
  });
});

describe('alertSpanId()', () => {
  it('gives the id of the test vector', () => {
    expect(alertSpanId('01GBSHSV68K0QH6Q3S9X0WJ7ZN')).toBe('810fefb32af86fb2');
  });
});

describe('traceHour()', () => {
  it('gives the hour of the test vector', () => {
    expect(traceHour(1661936135)).toBe(461648);
  });
});
