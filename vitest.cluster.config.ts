import { defineConfig } from 'vitest/config';

// Whole clusters: one at a time, each with minutes to spend.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
