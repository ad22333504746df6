import { getSystemErrorMap } from 'node:util';
import type { KernelErrorCode } from './error.ts';

/** Numbers of <asm-generic/errno*.h>, equal on x86-64 and arm64; ENOTSUPP is the kernel's own and has no name in libc. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  E2BIG: 7,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ENOSYS: 38,
  ENOLINK: 67,
  EOPNOTSUPP: 95,
  ENOTSUPP: 524,
} as const;

const codes: Partial<Record<number, KernelErrorCode>> = {
  [errno.EPERM]: 'not-permitted',
  [errno.EACCES]: 'not-permitted',
  [errno.ENOENT]: 'not-found',
  [errno.E2BIG]: 'full',
  [errno.ENOSPC]: 'full',
  [errno.EAGAIN]: 'no-memory',
  [errno.ENOMEM]: 'no-memory',
  [errno.ENOSYS]: 'not-supported',
  [errno.EOPNOTSUPP]: 'not-supported',
  [errno.ENOTSUPP]: 'not-supported',
};

/** What a positive errno means for the caller of a kernel request. */
export function errnoCode(value: number): KernelErrorCode {
  return codes[value] ?? 'failed';
}

/** `EACCES (13): permission denied` */
export function describeErrno(value: number): string {
  if (value === errno.ENOTSUPP) return `ENOTSUPP (${value}): not supported by the kernel`;
  const known = getSystemErrorMap().get(-value);
  return known === undefined ? `errno ${value}` : `${known[0]} (${value}): ${known[1]}`;
}
