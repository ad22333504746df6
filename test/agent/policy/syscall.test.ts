import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { syscallName, syscallNames, syscallNumber } from '../../../agent/policy/syscall.ts';

const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';

describe('syscallNumber()', () => {
  it('knows the 335 names of the schema by the numbers 0 to 334, newer ones from 424 on', () => {
    const numbers = [...syscallNames].map((name) => syscallNumber(name) ?? -1);
    expect(numbers.slice(0, 335)).toEqual(Array.from({ length: 335 }, (_, i) => i));
    expect(numbers.slice(335)).toEqual(numbers.slice(335).map((_, i) => 424 + i));
    expect(['read', 'unlink', 'rseq', 'openat2', 'mseal', 'listns'].map(syscallNumber)).toEqual([
      0, 87, 334, 437, 462, 470,
    ]);
    expect(syscallNumber('unlinked')).toBeUndefined();
    for (const name of syscallNames) expect(syscallName(syscallNumber(name) ?? -1)).toBe(name);
  });

  it.skipIf(!existsSync(header))(`agrees with ${header} (missing: Debian package linux-libc-dev)`, () => {
    const defined = [...readFileSync(header, 'latin1').matchAll(/^#define __NR_(\w+) (\d+)$/gm)];
    expect(defined.length).toBeGreaterThan(335);
    for (const [, name = '', number] of defined) expect([name, syscallNumber(name)]).toEqual([name, Number(number)]);
  });
});
