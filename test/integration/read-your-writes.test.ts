/** A read in a scope sees the scope's writes, wherever it is served; outside scopes it may not, which shows that the check can fail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { preparePairs, writeThenRead } from '../support/write-then-read.js';
import { CLIENT_DATABASES } from './client-databases.js';

const WORKERS = 40;
const PAIRS = 2_000;

describe.each(CLIENT_DATABASES)('$name', ({ name, options }) => {
  let servers: LocalCluster;
  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 2,
      memcached: 0,
      php: false,
      // A function that writes is one of the ways to write.
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1'] },
    });
    await preparePairs(servers, WORKERS);
  });
  afterAll(async () => {
    await servers?.close();
  });

  test('in scopes no read is stale, and replicas serve', async () => {
    const report = await writeThenRead(servers, {
      pairs: PAIRS,
      workers: WORKERS,
      scoped: true,
      delayMs: 400,
    });
    console.log(name, JSON.stringify(report));
    expect(report).toMatchObject({ pairs: expect.any(Number), stale: 0, examples: [] });
    expect(report.pairs).toBeGreaterThanOrEqual(PAIRS);
    expect(report.reads['replica']).toBeGreaterThan(0);
  });

  test('outside scopes some are, so the check above can fail', async () => {
    const report = await writeThenRead(servers, {
      pairs: 500,
      workers: WORKERS,
      scoped: false,
      delayMs: 400,
    });
    console.log(name, JSON.stringify(report));
    expect(report.stale).toBeGreaterThan(0);
  });
});
