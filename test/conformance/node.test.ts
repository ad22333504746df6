import { describe, expect, test } from 'vitest';
import type { Machine } from './container.ts';
import { isGuest, openNode } from './node.ts';

describe('isGuest()', () => {
  test.for([
    ['console=ttyS0 quiet lsm=landlock,bpf picket.runner=/x/runner.sh picket.share=/tmp/y', true],
    ['picket.runner=/x/runner.sh', true],
    ['BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet', false],
    ['nopicket.runner=/x', false],
    ['', false],
  ] as const)('%s: %s', ([commandLine, expected]) => {
    expect(isGuest(commandLine)).toBe(expected);
  });
});

describe('openNode()', () => {
  test('refuses to act on a machine that is no guest', ({ skip }) => {
    skip(isGuest(), 'this is a guest');
    expect(() => openNode({} as Machine)).toThrow('only on a guest');
  });
});
