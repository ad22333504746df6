import { defineConfig } from 'vitest/config';

/** Kernel and Kafka tests share two cores with a guest or a broker: files run one at a time there, limits are generous. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    reporters: ['default', './test/count-reporter.ts'],
  },
});
