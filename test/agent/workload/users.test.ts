import { describe, expect, it } from 'vitest';
import { parseUserMap, readUserMap, uidInside } from '../../../agent/workload/users.ts';

describe('uidInside()', () => {
  const map = parseUserMap('         0     100000      65536\n     70000       1000          1\n');

  it.each([
    [100_000, 0],
    [100_033, 33],
    [165_535, 65_535],
    [1000, 70_000],
    [999, 65_534],
    [165_536, 65_534],
  ])('user %i of the node is %i inside', (outside, inside) => {
    expect(uidInside(map, outside)).toBe(inside);
  });

  it('changes nothing without a user namespace', () => {
    expect(uidInside([], 33)).toBe(33);
    expect(readUserMap(process.pid)).toEqual([]);
  });
});
