import { defineConfig } from 'vitest/config';

const fast = { environment: 'node' as const, testTimeout: 60_000, expect: { poll: { timeout: 30_000 } } };

/** How long a state is waited for that a busy machine reaches late. */
const patient = { poll: { timeout: 60_000 } };

/** The long runs of `npm run chaos`; their short forms are among the integration tests. */
const chaos = {
  test: {
    name: 'chaos',
    environment: 'node' as const,
    include: ['test/chaos/**/*.test.ts'],
    fileParallelism: false,
    sequence: { groupOrder: 2 },
    expect: patient,
    testTimeout: 2 * 3_600_000,
    hookTimeout: 300_000,
  },
};

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { ...fast, name: 'unit', include: ['test/unit/**/*.test.ts', 'test/spec/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          environment: 'node',
          include: ['test/integration/**/*.test.ts', 'test/peers/**/*.test.ts', 'test/docs/**/*.test.ts'],
          // Real servers are waited for much longer than they compute.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          expect: patient,
          testTimeout: 240_000,
          hookTimeout: 300_000,
        },
      },
      ...(process.env['STORMLAMP_CHAOS'] === '1' ? [chaos] : []),
    ],
  },
});
