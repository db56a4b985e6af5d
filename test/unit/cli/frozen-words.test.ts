/** What `stormlamp failover history` says of the replicas of a failover. */
import { expect, test } from 'vitest';
import { frozenWords } from '../../../src/cli/frozen-words.js';

test('what each had received, and how commits waited', () => {
  const replicas = {
    'db2:3306': { received: '0-1-100', acknowledges: true },
    'db3:3306': { received: '', acknowledges: false },
  };
  const commitWaits = {
    acknowledgers: 2,
    waitFor: 1,
    timeoutMs: 600_000,
    waitedMs: 0,
    afterSync: true,
    waitsAlone: true,
  };
  expect(frozenWords({ replicas, commitWaits })).toEqual([
    'db2:3306 had received 0-1-100, and acknowledges',
    'db3:3306 had received nothing',
    'commits on the old primary waited for 1 of the 2 replicas that acknowledged, 600000 ms at most',
  ]);
  expect(frozenWords({ replicas: {}, commitWaits: null })).toEqual([
    'whether commits on the old primary waited for replicas is not known, or they did not',
  ]);
});
