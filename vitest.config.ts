import { defineConfig } from 'vitest/config';

const fast = { environment: 'node' as const, testTimeout: 20_000 };

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { ...fast, name: 'unit', include: ['test/unit/**/*.test.ts', 'test/spec/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          environment: 'node',
          include: ['test/integration/**/*.test.ts', 'test/docs/**/*.test.ts'],
          // Real servers: one cluster at a time.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
