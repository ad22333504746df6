import { describe, expect, it } from 'vitest';
import * as abi from '../../../agent/abi.gen.ts';
import { flagNames, mapFlags, protectionFlags } from '../../../agent/event/mapping.ts';
import { operationOf } from '../../../agent/event/operation.ts';
import type { EventRecord } from '../../../agent/event/record.ts';
import { eventOf } from './records.ts';

const of = (operation: keyof typeof abi.operation, details: EventRecord['details'] = [0n, 0n, 0n, 0n]) => {
  const event = eventOf({ operation: abi.operation[operation], details });
  const { name, data } = operationOf(event);
  return [name, data(event)];
};

describe('operationOf()', () => {
  it.each([
    ['OPERATION_EXEC', 'Process', 'lsm=SECURITY_BPRM_CHECK'],
    ['OPERATION_OPEN', 'File', 'lsm=FILE_OPEN'],
    ['OPERATION_PERMISSION', 'File', 'lsm=FILE_PERMISSION'],
    ['OPERATION_MKNOD', 'File', 'lsm=FILE_MKNOD'],
    ['OPERATION_MKDIR', 'File', 'lsm=FILE_MKDIR'],
    ['OPERATION_SYMLINK', 'File', 'lsm=FILE_SYMLINK'],
    ['OPERATION_LINK', 'File', 'lsm=FILE_LINK'],
    ['OPERATION_UNLINK', 'File', 'lsm=FILE_UNLINK'],
    ['OPERATION_RMDIR', 'File', 'lsm=FILE_RMDIR'],
    ['OPERATION_RENAME', 'File', 'lsm=FILE_RENAME'],
    ['OPERATION_CHMOD', 'File', 'lsm=FILE_CHMOD'],
    ['OPERATION_CHOWN', 'File', 'lsm=FILE_CHOWN'],
    ['OPERATION_TRUNCATE', 'File', 'lsm=FILE_TRUNCATE'],
    ['OPERATION_SYSCALL', 'Syscall', 'syscall=SYS_UNLINK'],
  ] as const)('%s is called %s, %s', (operation, name, data) => {
    expect(of(operation)).toEqual([name, data]);
  });

  it('names the arguments of a mapping', () => {
    expect(of('OPERATION_MMAP', [7n, 0x22n, 0n, 0n])).toEqual([
      'File',
      'lsm=MMAP_FILE prot=PROT_READ|PROT_WRITE|PROT_EXEC flags=MAP_PRIVATE|MAP_ANONYMOUS',
    ]);
  });

  it('knows no operation that the kernel side has not', () => {
    expect(() => operationOf(eventOf({ operation: 0 }))).toThrow('number 0');
  });
});

describe('flagNames()', () => {
  it.each([
    [0n, '0'],
    [4n, 'PROT_EXEC'],
    [0x80000004n, 'PROT_EXEC|0x80000000'],
    [0x100n, '0x100'],
  ])('%s is %s', (bits, text) => {
    expect(flagNames(bits, protectionFlags)).toBe(text);
  });

  it('calls both bits of MAP_SHARED_VALIDATE by their names', () => {
    expect(flagNames(3n, mapFlags)).toBe('MAP_SHARED|MAP_PRIVATE');
  });
});
