import { defineConfig } from 'vitest/config';

// The tests of the API once more, over a real etcd.
export default defineConfig({
  test: {
    include: ['src/apiserver/**/*.test.ts'],
    globalSetup: ['src/apiserver/test-etcd.ts'],
    pool: 'threads',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true,
  },
});
