import { describe, expect, it } from 'vitest';
import { describeErrno, errno, errnoCode } from '../../../agent/kernel/errno.ts';
import { KernelError, type KernelErrorCode, kernelErrorCodes } from '../../../agent/kernel/error.ts';
import { call, type Handle } from '../../../agent/kernel/libbpf.ts';
import { named } from './compile.ts';

const missingLibbpf = (() => {
  try {
    call('libbpf_version_string', 'asking for the version');
    return undefined;
  } catch {
    return 'libbpf.so.1 (apt-get install libbpf1)';
  }
})();

function errorOf(run: () => unknown): KernelError {
  try {
    run();
  } catch (error) {
    if (error instanceof KernelError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('KernelError', () => {
  it('tells for every code whose matter it is and whether trying again can help', () => {
    const retried = Object.keys(kernelErrorCodes).filter((code) => new KernelError(code as KernelErrorCode, 'x').retry);
    expect(retried).toEqual(['full', 'no-memory']);
    expect(new KernelError('no-library', 'x').blame).toBe('user');
    expect(new KernelError('rejected', 'x').blame).toBe('system');
  });
});

describe('describeErrno()', () => {
  it.each([
    [errno.EACCES, 'EACCES (13): permission denied'],
    [errno.ENOTSUPP, 'ENOTSUPP (524): not supported by the kernel'],
    [3999, 'errno 3999'],
  ])('names %i', (value, text) => expect(describeErrno(value)).toBe(text));
});

describe('errnoCode()', () => {
  it.each([
    [errno.EPERM, 'not-permitted'],
    [errno.ENOENT, 'not-found'],
    [errno.E2BIG, 'full'],
    [errno.ENOMEM, 'no-memory'],
    [errno.ENOTSUPP, 'not-supported'],
    [errno.EINVAL, 'failed'],
  ])('of errno %i is %s', (value, code) => expect(errnoCode(value)).toBe(code));
});

describe.skipIf(missingLibbpf)(named('call()', missingLibbpf), () => {
  it('refuses a null handle before the library sees it', () => {
    const error = errorOf(() => call('bpf_object__load', 'loading nothing', 0n as Handle));
    expect(error).toMatchObject({
      code: 'closed',
      message: 'loading nothing: the handle given to bpf_object__load is null',
    });
    expect(errorOf(() => call('bpf_map__name', 'naming', null as unknown as Handle)).code).toBe('closed');
  });

  it('refuses an empty buffer', () => {
    expect(
      errorOf(() => call('bpf_map_lookup_elem', 'looking', 1, new Uint8Array(0), new Uint8Array(4))),
    ).toMatchObject({
      message: 'looking: the buffer given to bpf_map_lookup_elem is empty',
    });
  });

  it('names what was tried, the function and the errno when libbpf answers a negative number', () => {
    expect(errorOf(() => call('bpf_map_delete_elem', 'deleting from no map', -1, new Uint8Array(4)))).toMatchObject({
      message: 'deleting from no map: bpf_map_delete_elem answered EBADF (9): bad file descriptor',
      errno: 9,
      code: 'failed',
    });
  });

  it('reports the errno of a NULL result', () => {
    const junk = new Uint8Array(64);
    expect(errorOf(() => call('bpf_object__open_mem', 'opening junk', junk, 64, null)).errno).toBeGreaterThan(0);
  });

  it('takes MAP_FAILED for a failure', () => {
    expect(errorOf(() => call('mmap', 'mapping no file', null, 4096, 1, 1, -1, 0))).toMatchObject({ errno: 9 });
  });
});
