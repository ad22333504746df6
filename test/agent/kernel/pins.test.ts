import { describe, expect, it } from 'vitest';
import { KernelError } from '../../../agent/kernel/error.ts';
import { pinProblem } from '../../../agent/kernel/pins.ts';

const system = (code: string, errno: number) => Object.assign(new Error(`${code}: open`), { code, errno: -errno });
const kernel = (errno: number) => new KernelError('failed', `errno ${errno}`, { errno });

describe('pinProblem()', () => {
  it.each([
    ['read-only', system('EROFS', 30), /read-only; make it writable with "mount -o remount,rw"/],
    ['read-only', kernel(30), /read-only; make it writable/],
    ['no right', system('EACCES', 13), /^root is needed$/],
    ['no right', kernel(1), /^root is needed$/],
    ['anything else', system('EIO', 5), /^EIO: open$/],
    ['anything else', kernel(12), /^errno 12$/],
  ])('says what to do: %s, %s', (_, error, text) => {
    expect(pinProblem(error)).toMatch(text);
  });
});
