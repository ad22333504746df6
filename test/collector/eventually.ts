import { expect } from 'vitest';

/** expect.poll() with the patience that a busy machine needs; what is expected to be quick is measured, not polled. */
export function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 30_000, interval: 20 });
}
