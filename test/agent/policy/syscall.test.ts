import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { callShape } from '../../../agent/abi.gen.ts';
import {
  findSyscall,
  followsLinks,
  shapeOf,
  syscallName,
  syscallNames,
  syscallNumber,
  tellArguments,
} from '../../../agent/policy/syscall.ts';
import { compatNumbers, entriesOf, multiplexedNumbers } from '../../../agent/policy/syscall-entry.ts';

const call = (name: string) => {
  const found = findSyscall(name);
  if (found === undefined) throw new Error(`no call ${name}`);
  return found;
};

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

describe('shapeOf()', () => {
  it.each([
    ['getpid', 0],
    ['read', callShape.CALL_DESCRIPTOR],
    ['unlink', callShape.CALL_PATH],
    ['unlinkat', callShape.CALL_AT | (callShape.CALL_PATH << 1)],
    ['rename', callShape.CALL_PATH | (callShape.CALL_PATH << 1)],
    ['symlinkat', (callShape.CALL_AT << 1) | (callShape.CALL_PATH << 2)],
    ['mmap', callShape.CALL_MAPS | (callShape.CALL_DESCRIPTOR << 4)],
    ['close', callShape.CALL_CLOSES | callShape.CALL_DESCRIPTOR],
    ['exit_group', callShape.CALL_ENDS],
    ['statx', callShape.CALL_AT | (callShape.CALL_PATH << 1)],
  ])('%s', (name, shape) => {
    expect(shapeOf(call(name))).toBe(shape);
  });
});

describe('tellArguments()', () => {
  it('goes by the arguments that are no paths, of which an event has four', () => {
    const told = tellArguments(call('linkat'), [3n, 4n, 0x400n, 9n]);
    expect(told.map(({ argument, value }) => [argument.name, value])).toEqual([
      ['oldfd', 3n],
      ['newfd', 4n],
      ['flags', 0x400n],
    ]);
  });

  it.each([
    ['stat', [], true],
    ['lstat', [], false],
    ['unlink', [], false],
    ['fchownat', [3n, 0n, 0n, 0n], true],
    ['fchownat', [3n, 0n, 0n, 0x100n], false],
    ['statx', [3n, 0x100n, 0n, 0n], false],
    ['openat', [3n, 0o400000n, 0n, 0n], false],
    ['open', [0o301n, 0n, 0n, 0n], false],
    ['open', [0o101n, 0n, 0n, 0n], true],
  ] as const)('and says whether a last link is followed: %s with %o', (name, details, follows) => {
    expect(followsLinks(call(name), details)).toBe(follows);
  });
});

describe('entriesOf()', () => {
  const all = (fn: string) => !fn.startsWith('__do_');
  const fns = (name: string, has: (fn: string) => boolean = all, architecture = 'x64'): string[] =>
    entriesOf(call(name), has, architecture).map(({ fn }) => fn);

  it('gives the functions for 64-bit and for 32-bit programs, by their own names', () => {
    expect(fns('unlink')).toEqual(['__x64_sys_unlink', '__ia32_compat_sys_unlink']);
    expect(fns('unlink', (fn) => all(fn) && !fn.includes('compat'))).toEqual(['__x64_sys_unlink', '__ia32_sys_unlink']);
    expect(fns('stat')).toEqual([
      '__x64_sys_newstat',
      '__ia32_sys_stat',
      '__ia32_compat_sys_newstat',
      '__ia32_compat_sys_ia32_stat64',
    ]);
    expect(fns('openat2', (fn) => all(fn) && !fn.includes('compat'))).toEqual([
      '__x64_sys_openat2',
      '__ia32_sys_openat2',
    ]);
    expect(fns('getpid', () => true)).toEqual(['__do_sys_getpid']);
    expect(fns('unlinkat', all, 'arm64')).toEqual(['__arm64_sys_unlinkat']);
  });

  it('adds the one of several calls, which is told apart by its cookie', () => {
    const cookies = entriesOf(call('bind'), all, 'x64').map(({ fn, cookie }) => [fn, cookie]);
    expect(cookies).toContainEqual(['__ia32_compat_sys_socketcall', callShape.CALL_MULTIPLEXED]);
    expect(multiplexedNumbers[2]).toBe(syscallNumber('bind'));
    expect(multiplexedNumbers[32 + 24]).toBe(syscallNumber('shmctl'));
  });
});

describe('compatNumbers', () => {
  const compat = '/usr/include/x86_64-linux-gnu/asm/unistd_32.h';
  it.skipIf(!existsSync(compat))(`agrees with ${compat} (missing: Debian package linux-libc-dev)`, () => {
    const defined = [...readFileSync(compat, 'latin1').matchAll(/^#define __NR_(\w+) (\d+)$/gm)];
    expect(defined.length).toBeGreaterThan(400);
    // The oldest mmap passes its arguments in memory: left out.
    const both = defined.filter(([, name = '', number]) => syscallNames.has(name) && number !== '90');
    expect(both.length).toBeGreaterThan(300);
    for (const [, name = '', number] of both)
      expect([name, compatNumbers[Number(number)]]).toEqual([name, syscallNumber(name)]);
    const of = (name: string) => compatNumbers[Number(defined.find(([, each]) => each === name)?.[2])];
    expect(['stat64', 'waitpid', 'mmap2', 'clock_gettime64', 'chown32'].map(of)).toEqual(
      ['stat', 'wait4', 'mmap', 'clock_gettime', 'chown'].map(syscallNumber),
    );
    expect(of('socketcall')).toBe(callShape.CALL_MULTIPLEXED);
    expect(of('ipc')).toBe(callShape.CALL_MULTIPLEXED + 1);
    expect(of('vm86')).toBe(511);
  });
});
